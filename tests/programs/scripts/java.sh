# OpenJDK: javac, and a program with threads, locks, null checks by SIGSEGV, a child process.
java=$(echo /usr/lib/jvm/java-17-openjdk-*/bin)
cat >T.java <<'JAVA'
import java.util.concurrent.atomic.*;
import java.util.stream.*;

public class T {
    static volatile Object sink;

    public static void main(String[] args) throws Exception {
        AtomicLong atomic = new AtomicLong();
        int[] plain = {0};
        Thread[] threads = new Thread[4];
        for (int i = 0; i < 4; i++) {
            threads[i] = new Thread(() -> {
                for (int j = 0; j < 20000; j++) {
                    atomic.incrementAndGet();
                    synchronized (plain) { plain[0]++; }
                    sink = new byte[200];
                }
            });
            threads[i].start();
        }
        for (Thread t : threads) t.join();
        System.out.println(atomic.get() + " " + plain[0]);
        System.out.println(IntStream.range(0, 200000).parallel().mapToLong(i -> i).sum());
        int caught = 0;
        Object[] none = new Object[10];
        for (int i = 0; i < 3000; i++) {
            try { none[i % 10].hashCode(); } catch (NullPointerException e) { caught++; }
            try { sink = 10 / (i % 2); } catch (ArithmeticException e) { caught++; }
        }
        System.out.println(caught);
        Process p = new ProcessBuilder("sh", "-c", "echo child; exit 4").start();
        System.out.println(new String(p.getInputStream().readAllBytes()).trim() + " " + p.waitFor());
    }
}
JAVA
"$java/javac" T.java
"$java/java" -Xmx128m T
