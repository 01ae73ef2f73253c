/*
 * The RuntimeDefault seccomp profile of host processes: what could harm the host's kernel or other pods is refused with
 * EPERM, unless a capability that the container was given is there to allow it; everything else passes. 32-bit system
 * calls, which have other numbers, are refused as a whole.
 */
#define _GNU_SOURCE
#include "common.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
#define NATIVE_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE_ARCH AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define NATIVE_ARCH AUDIT_ARCH_RISCV64
#else
#error "no seccomp profile for this machine"
#endif

enum { NO_CAPABILITY = -1, X32_BIT = 0x40000000 };

struct rule {
  int call;
  /* The capability that allows it, or NO_CAPABILITY: never. */
  int capability;
};

static const struct rule rules[] = {
    {SYS_add_key, NO_CAPABILITY},
    {SYS_keyctl, NO_CAPABILITY},
    {SYS_request_key, NO_CAPABILITY},
    {SYS_userfaultfd, NO_CAPABILITY},
    {SYS_kexec_load, CAP_SYS_BOOT},
    {SYS_kexec_file_load, CAP_SYS_BOOT},
    {SYS_reboot, CAP_SYS_BOOT},
    {SYS_init_module, CAP_SYS_MODULE},
    {SYS_finit_module, CAP_SYS_MODULE},
    {SYS_delete_module, CAP_SYS_MODULE},
    {SYS_acct, CAP_SYS_PACCT},
    {SYS_settimeofday, CAP_SYS_TIME},
    {SYS_clock_settime, CAP_SYS_TIME},
    {SYS_clock_adjtime, CAP_SYS_TIME},
    {SYS_adjtimex, CAP_SYS_TIME},
    {SYS_open_by_handle_at, CAP_DAC_READ_SEARCH},
    {SYS_syslog, CAP_SYSLOG},
    {SYS_vhangup, CAP_SYS_TTY_CONFIG},
    {SYS_bpf, CAP_SYS_ADMIN},
    {SYS_fanotify_init, CAP_SYS_ADMIN},
    {SYS_fsconfig, CAP_SYS_ADMIN},
    {SYS_fsmount, CAP_SYS_ADMIN},
    {SYS_fsopen, CAP_SYS_ADMIN},
    {SYS_fspick, CAP_SYS_ADMIN},
    {SYS_mount, CAP_SYS_ADMIN},
    {SYS_mount_setattr, CAP_SYS_ADMIN},
    {SYS_move_mount, CAP_SYS_ADMIN},
    {SYS_open_tree, CAP_SYS_ADMIN},
    {SYS_perf_event_open, CAP_SYS_ADMIN},
    {SYS_pivot_root, CAP_SYS_ADMIN},
    {SYS_quotactl, CAP_SYS_ADMIN},
    {SYS_setdomainname, CAP_SYS_ADMIN},
    {SYS_sethostname, CAP_SYS_ADMIN},
    {SYS_setns, CAP_SYS_ADMIN},
    {SYS_swapoff, CAP_SYS_ADMIN},
    {SYS_swapon, CAP_SYS_ADMIN},
    {SYS_umount2, CAP_SYS_ADMIN},
    {SYS_unshare, CAP_SYS_ADMIN},
    {SYS_io_uring_setup, CAP_SYS_ADMIN},
    {SYS_io_uring_enter, CAP_SYS_ADMIN},
    {SYS_io_uring_register, CAP_SYS_ADMIN},
#ifdef SYS_iopl
    {SYS_iopl, CAP_SYS_RAWIO},
    {SYS_ioperm, CAP_SYS_RAWIO},
#endif
};

enum {
  NAMESPACE_FLAGS = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWCGROUP,
  MAX_INSTRUCTIONS = 2 * (sizeof rules / sizeof *rules) + 32,
};

struct program {
  struct sock_filter code[MAX_INSTRUCTIONS];
  unsigned short length;
};

static void add(struct program *program, struct sock_filter instruction) {
  if (program->length == MAX_INSTRUCTIONS) failx(EXIT_CANNOT_START, "the seccomp profile is too long");
  program->code[program->length++] = instruction;
}

static void add_load(struct program *program, size_t offset) {
  add(program, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset));
}

static void add_return(struct program *program, uint32_t value) {
  add(program, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, value));
}

static void add_refusal_of(struct program *program, int call, int number) {
  add(program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)call, 0, 1));
  add_return(program, SECCOMP_RET_ERRNO | (uint32_t)number);
}

void install_default_seccomp(uint64_t capabilities) {
  const uint32_t refuse = SECCOMP_RET_ERRNO | EPERM;
  struct program program = {.length = 0};
  add_load(&program, offsetof(struct seccomp_data, arch));
  add(&program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NATIVE_ARCH, 1, 0));
  add_return(&program, refuse);
  add_load(&program, offsetof(struct seccomp_data, nr));
#if defined(__x86_64__)
  add(&program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, X32_BIT, 0, 1));
  add_return(&program, refuse);
#endif
  for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
    bool allowed = rules[i].capability != NO_CAPABILITY && (capabilities >> rules[i].capability & 1);
    if (!allowed) add_refusal_of(&program, rules[i].call, EPERM);
  }
  if (!(capabilities >> CAP_SYS_ADMIN & 1)) {
    /* clone3's flags lie in memory, out of reach of a filter: ENOSYS makes the C library fall back to clone. */
    add_refusal_of(&program, SYS_clone3, ENOSYS);
    add(&program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 3));
    add_load(&program, offsetof(struct seccomp_data, args[0]));
    add(&program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, NAMESPACE_FLAGS, 0, 1));
    add_return(&program, refuse);
  }
  add_return(&program, SECCOMP_RET_ALLOW);
  struct sock_fprog filter = {.len = program.length, .filter = program.code};
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) < 0) fail(EXIT_CANNOT_START, "cannot install the seccomp profile");
}
