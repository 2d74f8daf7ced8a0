// Counts the instructions that one thread executes between two calls of getppid, by stepping it one by one: for machines whose processors offer no counters to a guest.
//
//     gcc -O2 -o count-instructions eng/count-instructions.c
//     ./count-instructions THREAD PASSES FILE
//
// THREAD is the system's number of the thread (gettid), which waits until FILE is there; then it calls getppid once, and once more after each of PASSES passes. One line a pass.
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <sys/user.h>
#include <sys/syscall.h>
#include <stdio.h>
#include <stdlib.h>
#include <errno.h>
int main(int c, char **v) {
  pid_t t = atoi(v[1]); int st; long n = 0; int on = 0, marks = atoi(v[2]);
  if (ptrace(PTRACE_ATTACH, t, 0, 0)) { perror("attach"); return 1; }
  waitpid(t, &st, __WALL);
  printf("attached\n"); fflush(stdout);
  FILE *go = fopen(v[3], "w"); fputs("go", go); fclose(go);
  // run to the first marker by syscall stops
  ptrace(PTRACE_SETOPTIONS, t, 0, PTRACE_O_TRACESYSGOOD);
  int sig = 0;
  for (;;) {
    if (ptrace(PTRACE_SYSCALL, t, 0, sig)) { perror("syscall"); return 1; }
    waitpid(t, &st, __WALL); sig = 0;
    if (WIFEXITED(st)) return 2;
    if (WIFSTOPPED(st) && WSTOPSIG(st) == (5 | 0x80)) {
      struct user_regs_struct r; ptrace(PTRACE_GETREGS, t, 0, &r);
      if (r.orig_rax == SYS_getppid) { ptrace(PTRACE_SYSCALL, t, 0, 0); waitpid(t, &st, __WALL); break; } // its exit
    } else sig = WSTOPSIG(st);
  }
  for (int i = 0; i < marks; i++) {
    n = 0;
    for (;;) {
      if (ptrace(PTRACE_SINGLESTEP, t, 0, sig)) { perror("step"); return 1; }
      waitpid(t, &st, __WALL); sig = 0;
      if (WIFSTOPPED(st) && WSTOPSIG(st) != 5) { sig = WSTOPSIG(st); continue; }
      n++;
      struct user_regs_struct r;
      errno = 0;
      ptrace(PTRACE_GETREGS, t, 0, &r);
      if (r.rax == SYS_getppid) {
        long w = ptrace(PTRACE_PEEKTEXT, t, (void*)r.rip, 0);
        if ((w & 0xffff) == 0x050f) break;
      }
    }
    printf("%ld\n", n); fflush(stdout);
  }
  ptrace(PTRACE_DETACH, t, 0, 0);
  return 0;
}
