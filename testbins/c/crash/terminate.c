// dies: SIGTERM
// Sends itself a signal that nobody handles.
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

int main(void)
{
	puts("before");
	fflush(stdout);
	kill(getpid(), SIGTERM);
	puts("after");
	return 0;
}
