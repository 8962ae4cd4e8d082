# make -j2 of 51 sources with the guest's own gcc, and its check.
echo '#include <stdio.h>' >main.c
for i in $(seq 50); do
    echo "int f$i(int x) { return x * 3 + $i; }" >"f$i.c"
    echo "int f$i(int);" >>main.c
done
{
    echo 'int main(void) { unsigned x = 0;'
    for i in $(seq 50); do echo "x = f$i(x % 10007);"; done
    echo 'printf("%u\n", x); }'
} >>main.c
printf 'OBJ = $(patsubst %%.c,%%.o,$(wildcard *.c))\nprog: $(OBJ)\n\tgcc -o $@ $(OBJ)\n' >Makefile
printf '%%.o: %%.c\n\tgcc -O1 -c $<\ncheck: prog\n\t./prog\n' >>Makefile
make -s -j2 prog
make -s check
x=0
for i in $(seq 50); do x=$((x % 10007 * 3 + i)); done
echo $x
