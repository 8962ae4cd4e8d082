/* What gcc's torture tests want of a C library, for riscv32, for which Debian has none. They are compiled with
 * -Dmain=torture_main. */
typedef __SIZE_TYPE__ size_t;

int torture_main(void);

__asm__(".globl _start\n"
	"_start:\n"
	".option push\n.option norelax\nla gp, __global_pointer$\n.option pop\n"
	"andi sp, sp, -16\n"
	"call torture_main\n"
	"call exit\n");

__attribute__((noreturn)) void _exit(int status)
{
	register long a0 __asm__("a0") = status;
	register long a7 __asm__("a7") = 93;

	for (;;)
		__asm__ volatile("ecall" : : "r"(a0), "r"(a7));
}

__attribute__((noreturn)) void exit(int status)
{
	_exit(status);
}

__attribute__((noreturn)) void abort(void)
{
	_exit(134);
}

void *memcpy(void *to, const void *from, size_t size)
{
	for (size_t i = 0; i < size; i++)
		((char *)to)[i] = ((const char *)from)[i];
	return to;
}

void *memmove(void *to, const void *from, size_t size)
{
	if ((char *)to <= (const char *)from)
		return memcpy(to, from, size);
	while (size--)
		((char *)to)[size] = ((const char *)from)[size];
	return to;
}

void *memset(void *to, int value, size_t size)
{
	for (size_t i = 0; i < size; i++)
		((char *)to)[i] = value;
	return to;
}

int memcmp(const void *a, const void *b, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (((const unsigned char *)a)[i] != ((const unsigned char *)b)[i])
			return ((const unsigned char *)a)[i] - ((const unsigned char *)b)[i];
	return 0;
}

size_t strlen(const char *text)
{
	size_t size = 0;

	while (text[size])
		size++;
	return size;
}

int strcmp(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *(const unsigned char *)a - *(const unsigned char *)b;
}

char *strcpy(char *to, const char *from)
{
	memcpy(to, from, strlen(from) + 1);
	return to;
}

static char heap[1 << 20];
static size_t used;

void *malloc(size_t size)
{
	used = (used + 15) & ~(size_t)15;
	if (size > sizeof(heap) - used)
		return 0;
	used += size;
	return heap + used - size;
}

void free(void *memory)
{
	(void)memory;
}

int printf(const char *format, ...)
{
	return (int)strlen(format);
}
