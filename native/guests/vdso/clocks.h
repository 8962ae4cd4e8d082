/* What the instruction that reads a clock is asked for beside the clock's number (native/guests/src/vdso.rs). */
#define RESOLUTION	0x100
#define ZONE		0x200
#define MICROSECONDS	0x300

/* The highest number that may be asked for: bits of the word `clocks` say which. */
#define LAST_CLOCK	11

#define CLOCK_REALTIME	0

/* At the image's begin: the word, an instruction that nothing executes (unwinders look for the one before a return
 * address), and behind it the code that calls sigreturn. */
#define BEGIN .text; .balign 4; clocks: .word 0; nop
