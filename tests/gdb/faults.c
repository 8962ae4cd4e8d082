/* Handlers that tell of the siginfo_t. */
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static sigjmp_buf behind;
static siginfo_t seen;

static void on_fault(int number, siginfo_t *info, void *context)
{
    (void)number, (void)context;
    seen = *info;
    siglongjmp(behind, 1);
}

static void on_signal(int number, siginfo_t *info, void *context)
{
    (void)number, (void)context;
    seen = *info;
}

int main(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_flags = SA_SIGINFO;
    action.sa_sigaction = on_fault;
    sigaction(SIGSEGV, &action, 0);
    action.sa_sigaction = on_signal;
    sigaction(SIGUSR1, &action, 0);
    if (!sigsetjmp(behind, 1))
        *(volatile int *)0x10 = 1;
    printf("segv code %d addr %p\n", seen.si_code, seen.si_addr);
    raise(SIGUSR1);
    printf("usr1 uid %d\n", (int)seen.si_uid);
    return 0;
}
