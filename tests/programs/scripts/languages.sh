# Threads and processes of perl, python3, ruby; luajit's compiled traces; tcl's events; vim; tmux.
perl -e 'use threads; my @t = map { my $n = $_; threads->create(sub { my $s = 0; $s += $_ * $n for 1..1000; $s }) } 1..4;
    my $s = 0; $s += $_->join for @t; print "perl $s\n"'
cat >m.py <<'PY'
import concurrent.futures as cf
import multiprocessing as mp


def square(x):
    return x * x


def count(value):
    for _ in range(200):
        with value.get_lock():
            value.value += 1


if __name__ == "__main__":
    with mp.Pool(2) as pool:
        print(sum(pool.map(square, range(100))))
    with cf.ThreadPoolExecutor(4) as threads:
        print(sum(threads.map(square, range(100))))
    with cf.ProcessPoolExecutor(2, mp_context=mp.get_context("spawn")) as spawned:
        print(sum(spawned.map(square, range(10))))
    shared = mp.Value("i", 0)
    workers = [mp.Process(target=count, args=(shared,)) for _ in range(3)]
    for w in workers:
        w.start()
    for w in workers:
        w.join()
    print(shared.value)
PY
python3 m.py
luajit -e 'local s = 0 for i = 1, 3000000 do s = s + i % 7 end print("luajit " .. s)'
ruby -e 't = (1..3).map { |i| Thread.new { (1..1000).sum * i } }; puts "ruby #{t.sum(&:value)}"
    pid = fork { exit 3 }; Process.wait pid; puts $?.exitstatus'
echo 'puts "tcl [expr {2**40}]"; puts [exec echo sub]; after 50 {set d 1}; vwait d; puts done' | tclsh8.6
printf 'a\nb\n' >v
vim -es -c '%s/a/z/' -c wq v
tr '\n' ' ' <v
echo
export TMUX_TMPDIR=$PWD
tmux -f /dev/null new-session -d -s s 'sleep 60'
tmux ls | cut -d' ' -f1-3
tmux kill-server
