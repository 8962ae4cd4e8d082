// build: dynamic
// libs: -ldl -lm
// Dynamic loading: the loaded objects, symbols, libraries opened at run time.
#include "../check.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <math.h>
#include <sys/auxv.h>

static int objects, found_main, is_static = 1;

static int see(struct dl_phdr_info *info, size_t size, void *data)
{
	(void)size, (void)data;
	objects++;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		uintptr_t at = info->dlpi_addr + p->p_vaddr;

		if (p->p_type == PT_LOAD && at <= (uintptr_t)see &&
		    (uintptr_t)see < at + p->p_memsz)
			found_main = 1;
		if (p->p_type == PT_INTERP)
			is_static = 0;
	}
	return 0;
}

CHECK(objects)
{
	dl_iterate_phdr(see, NULL);
	EQ(found_main, 1);
	if (!is_static)
		TRUE(objects >= 3);
}

CHECK(functions_of_libraries)
{
	volatile double x = 2.0;
	char text[64];

	EQ(sqrt(x) * 1e9, 1414213562);
	EQ(pow(x, 10), 1024);
	snprintf(text, sizeof(text), "%.10f %s %d %lld", 1 / 3.0, "x", -5,
		 1LL << 40);
	STREQ(text, "0.3333333333 x -5 1099511627776");
	EQ(strtol("0x7fffffff", NULL, 0), 0x7fffffff);
}

CHECK(dlopen)
{
	dl_iterate_phdr(see, NULL);
	if (is_static)
		NA("a static program");
	void *lib = dlopen("libm.so.6", RTLD_NOW);
	if (!lib)
		FAIL("dlopen: %s", dlerror());
	double (*f)(double) = (double (*)(double))dlsym(lib, "cbrt");
	TRUE(f != NULL);
	EQ(f(27.0), 3);
	TRUE(dlsym(lib, "no_such_function") == NULL);
	TRUE(dlerror() != NULL);
	TRUE(dlopen("libnothing.so.77", RTLD_NOW) == NULL);
	EQ(dlclose(lib), 0);
}

CHECK_MAIN
