// The two ways to have floating-point registers (prctl(2), PR_SET_FP_MODE), of which o32 may choose.
// arches: mipsel mips mips64el mips64 mipsn32el mipsn32
#include "../check.h"
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

CHECK(errors)
{
	int mode = OK(prctl(PR_GET_FP_MODE));

#if _MIPS_SIM != _ABIO32
	EQ(mode, PR_FP_MODE_FR);
	ERR(prctl(PR_SET_FP_MODE, 0), EOPNOTSUPP);
#endif
	OK(prctl(PR_SET_FP_MODE, mode));
	ERR(prctl(PR_SET_FP_MODE, PR_FP_MODE_FRE), EOPNOTSUPP);
	ERR(prctl(PR_SET_FP_MODE, 4), EOPNOTSUPP);
	EQ(prctl(PR_GET_FP_MODE), mode);
}

#if _MIPS_SIM == _ABIO32
static void clobbers(int signal)
{
	(void)signal;
	__asm__ volatile("mtc1 $0, $f4\n\tmtc1 $0, $f6\n\tmtc1 $0, $f20\n\tmtc1 $0, $f22" : : : "$f4", "$f6", "$f20", "$f22");
}

/* Numbers into an even and an odd register, a signal, and what is there then. */
static void through_a_signal(uint64_t *even, uint64_t *odd)
{
	long self = getpid();
	register long number __asm__("$2") = SYS_kill, failed __asm__("$7") = 0;
	register long pid __asm__("$4") = self, signal __asm__("$5") = SIGUSR1;

	__asm__ volatile(".set push\n\t.set hardfloat\n\t.set fp=64\n\t.set oddspreg\n\t"
			 "ldc1 $f22, 0(%4)\n\tldc1 $f23, 0(%5)\n\tsyscall\n\t"
			 "sdc1 $f22, 0(%4)\n\tsdc1 $f23, 0(%5)\n\t.set pop"
			 : "+r"(number), "+r"(failed) : "r"(pid), "r"(signal), "r"(even), "r"(odd)
			 : "memory", "$f22", "$f23", "$1", "$3", "$8", "$9", "$10", "$11", "$12",
			   "$13", "$14", "$15", "$24", "$25", "hi", "lo");
	EQ(failed, 0);
}

CHECK(all_registers_have_64_bits)
{
	uint64_t even = 0x0123456789abcdef, odd = 0xfedcba9876543210;

	signal(SIGUSR1, clobbers);
	OK(prctl(PR_SET_FP_MODE, PR_FP_MODE_FR));
	EQ(prctl(PR_GET_FP_MODE), PR_FP_MODE_FR);
	through_a_signal(&even, &odd);
	EQ(even, 0x0123456789abcdef);
	EQ(odd, 0xfedcba9876543210);
	OK(prctl(PR_SET_FP_MODE, 0));
	EQ(prctl(PR_GET_FP_MODE), 0);
}

/* A number in a pair is the same one in the register of 64 bits, and back. */
static uint64_t over_a_change(uint64_t number, int mode)
{
	register long call __asm__("$2") = SYS_prctl, failed __asm__("$7") = 0;
	register long option __asm__("$4") = PR_SET_FP_MODE, to __asm__("$5") = mode;

	__asm__ volatile(".set push\n\t.set hardfloat\n\t"
			 "ldc1 $f22, 0(%4)\n\tsyscall\n\tsdc1 $f22, 0(%4)\n\t.set pop"
			 : "+r"(call), "+r"(failed) : "r"(option), "r"(to), "r"(&number)
			 : "memory", "$f22", "$f23", "$1", "$3", "$8", "$9", "$10", "$11", "$12",
			   "$13", "$14", "$15", "$24", "$25", "hi", "lo");
	EQ(failed, 0);
	return number;
}

CHECK(numbers_stay)
{
	OK(prctl(PR_SET_FP_MODE, 0));
	EQ(over_a_change(0x1122334455667788, PR_FP_MODE_FR), 0x1122334455667788);
	EQ(over_a_change(0x99aabbccddeeff00, 0), 0x99aabbccddeeff00);
}

/* A program begins with a mode of its own, not with that of the one before. */
static void __attribute__((constructor)) tells(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "role:tells") == 0)
		_exit(prctl(PR_GET_FP_MODE));
}

CHECK(execution_begins_anew)
{
	int status, first = -1;

	for (int mode = 0; mode < 2; mode++) {
		pid_t pid = OK(fork());

		if (pid == 0) {
			char *const arguments[] = { "fp_mode", "role:tells", NULL };

			prctl(PR_SET_FP_MODE, mode);
			execv("/proc/self/exe", arguments);
			_exit(99);
		}
		EQ(waitpid(pid, &status, 0), pid);
		EQ(WEXITSTATUS(status) <= 1, 1);
		EQ(first == -1 || first == status, 1);
		first = status;
	}
}
#endif

CHECK_MAIN
