//go:build amd64 || arm64

// Package lock takes everything but computing away from a process that reads what nobody vouches for.
package lock

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The descriptors that every process starts with.
const (
	standardInput  = 0
	standardOutput = 1
	standardError  = 2
)

// Process takes from this process, for good, everything that rendering does without: from here on it can compute, read
// standard input, write standard output and standard error, and end. It cannot open a file, look one up, make a
// socket, start a program or touch another process, and other processes of its user cannot look into it. What is
// refused fails with EPERM, so that a chart that tries gets an error of its own instead of ending the process for all
// requests.
//
// The process is locked only if Process returns nil. After an error some steps may have been taken, which do no harm.
//
// The list of system calls is proved on amd64, where the tests run. On arm64 they have passed once, on an emulated
// machine (Linux 6.1, Go 1.26), and nothing runs them there since.
func Process(memory, cpuSeconds uint64) error {
	eventfd, err := settleRuntime()
	if err != nil {
		return err
	}
	if err := limitResources(memory, cpuSeconds); err != nil {
		return err
	}
	if err := dropPrivileges(); err != nil {
		return err
	}
	if err := restrictFiles(); err != nil {
		return err
	}
	// A belt: what has no number to be opened under cannot be opened.
	if err := lowerLimit(unix.RLIMIT_NOFILE, 0); err != nil {
		return fmt.Errorf("cannot limit open files: %w", err)
	}
	return installFilter(compileFilter(allowedCalls(eventfd, uint32(os.Getpid()))))
}

// limitResources sets the limits that need no lock: memory in bytes and processor time in seconds (0: none), and no
// core dumps, which would put the input of other requests on a disk.
//
// RLIMIT_DATA counts what was mapped to be written; RLIMIT_AS would count the address space, of which Go reserves far
// more than it uses. Only the hard limit of RLIMIT_CPU ends a Go process. RLIMIT_FSIZE stays as it is: whoever starts
// this process may have given it a file as its standard output, and there is no other file to write to.
func limitResources(memory, cpuSeconds uint64) error {
	if memory > 0 {
		if err := lowerLimit(unix.RLIMIT_DATA, memory); err != nil {
			return fmt.Errorf("cannot limit memory: %w", err)
		}
	}
	if cpuSeconds > 0 {
		if err := lowerLimit(unix.RLIMIT_CPU, cpuSeconds); err != nil {
			return fmt.Errorf("cannot limit processor time: %w", err)
		}
	}
	if err := lowerLimit(unix.RLIMIT_CORE, 0); err != nil {
		return fmt.Errorf("cannot switch off core dumps: %w", err)
	}
	return nil
}

// lowerLimit sets the soft and the hard limit, unless the hard one is lower already: no process may raise that.
func lowerLimit(resource int, limit uint64) error {
	var current unix.Rlimit
	if err := unix.Getrlimit(resource, &current); err != nil {
		return err
	}
	limit = min(limit, current.Max)
	return unix.Setrlimit(resource, &unix.Rlimit{Cur: limit, Max: limit})
}

// settleRuntime has Go's runtime open now what it would open later, closes whatever else is open beside the standard
// descriptors, and returns the descriptor by which the runtime wakes itself up.
func settleRuntime() (eventfd uint32, err error) {
	// Without a number that somebody chose, the runtime reads the cgroup's files again every second.
	runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	// The first timer starts the network poller, which makes an epoll and an eventfd.
	time.Sleep(time.Nanosecond)

	const folder = "/proc/self/fd/"
	entries, err := os.ReadDir(folder)
	if err != nil {
		return 0, fmt.Errorf("cannot list the open files of this process: %w", err)
	}
	for _, entry := range entries {
		descriptor, err := strconv.Atoi(entry.Name())
		if err != nil || descriptor <= standardError {
			continue
		}
		target, err := os.Readlink(folder + entry.Name())
		if err != nil {
			continue // the folder itself, closed by now
		}
		// The runtime's are closed on exec; so none that has this flag was inherited.
		flags, err := unix.FcntlInt(uintptr(descriptor), unix.F_GETFD, 0)
		inherited := err != nil || flags&unix.FD_CLOEXEC == 0
		switch {
		case target == "anon_inode:[eventfd]" && !inherited:
			eventfd = uint32(descriptor)
		case target == "anon_inode:[eventpoll]" && !inherited:
		default:
			_ = unix.Close(descriptor)
		}
	}
	if eventfd == 0 {
		return 0, errors.New("this Go runtime has no eventfd, as it had when the filter was written")
	}
	return eventfd, nil
}

// dropPrivileges gives up the capabilities of root, any chance to get new ones, and being looked into: the memory and
// the environment of a process that is not dumpable are closed to others of the same user.
func dropPrivileges() error {
	if _, _, errno := syscall.AllThreadsSyscall(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0); errno != 0 {
		if errno == unix.ENOTSUP {
			return errors.New("this program was built with cgo, whose threads the filter does not know")
		}
		return fmt.Errorf("the kernel refuses no_new_privs: %w", errno)
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	_, _, errno := syscall.AllThreadsSyscall(
		unix.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&none[0])), 0,
	)
	runtime.KeepAlive(&header)
	runtime.KeepAlive(&none)
	if errno != 0 {
		return fmt.Errorf("cannot give up capabilities: %w", errno)
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("cannot hide this process from others of its user: %w", err)
	}
	return nil
}

// restrictFiles denies files and TCP by Landlock, where the kernel has it: a second wall behind the filter.
//
// Landlock's scope for signals is left out: each thread gets a domain of its own, and kernels before 6.15 then refuse
// the signals between threads that Go's scheduler sends. The filter knows whom a signal may go to.
func restrictFiles() error {
	version, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		return nil // an old kernel, or one where it is switched off
	}
	handled := unix.LandlockRulesetAttr{Handled_access_fs: unix.LANDLOCK_ACCESS_FS_MAKE_SYM<<1 - 1}
	if version >= 2 {
		handled.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_REFER
	}
	if version >= 3 {
		handled.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_TRUNCATE
	}
	if version >= 4 {
		handled.Handled_access_net = unix.LANDLOCK_ACCESS_NET_BIND_TCP | unix.LANDLOCK_ACCESS_NET_CONNECT_TCP
	}
	if version >= 5 {
		handled.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
	}
	// An old kernel takes a record that is longer than its own, as long as the rest is zero.
	ruleset, _, errno := unix.Syscall(
		unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&handled)), unsafe.Sizeof(handled), 0,
	)
	if errno != 0 {
		return fmt.Errorf("the kernel refuses a Landlock ruleset: %w", errno)
	}
	defer unix.Close(int(ruleset))
	if _, _, errno := syscall.AllThreadsSyscall(unix.SYS_LANDLOCK_RESTRICT_SELF, ruleset, 0, 0); errno != 0 {
		return fmt.Errorf("the kernel refuses to apply Landlock: %w", errno)
	}
	return nil
}

// A callRule allows one system call, if all its conditions hold.
type callRule struct {
	call       uint32
	conditions []argumentCondition
}

// An argumentCondition holds if an argument, after the mask, is one of the values. Only the lower 32 bits of an
// argument are compared: the kernel takes no more of descriptors, flags of clone, advice and process ids, and what is
// compared of protections and flags of mappings lies in them.
type argumentCondition struct {
	argument int
	mask     uint32
	values   []uint32
}

// argumentIs asks for an argument (the first is 0) that is one of the values.
func argumentIs(argument int, values ...uint32) argumentCondition {
	return argumentCondition{argument, ^uint32(0), values}
}

// argumentMasked asks for an argument whose bits in the mask are one of the values.
func argumentMasked(argument int, mask uint32, values ...uint32) argumentCondition {
	return argumentCondition{argument, mask, values}
}

// The kind of a mapping: MAP_TYPE in linux/mman.h, and pages that the kernel may drop, which getrandom in the vDSO
// asks for.
const (
	mapType      = 0x0f
	mapDroppable = 0x08
)

// What Go's runtime passes to clone for a new thread (cloneFlags in runtime/os_linux.go).
const threadFlags = unix.CLONE_VM | unix.CLONE_FS | unix.CLONE_FILES | unix.CLONE_SIGHAND | unix.CLONE_SYSVSEM |
	unix.CLONE_THREAD

// An architecture is what the filter has to know about one: its number, and the flags of a new thread.
type architecture struct {
	number      uint32
	threadFlags uint32
}

var architectures = map[string]architecture{
	"amd64": {unix.AUDIT_ARCH_X86_64, threadFlags | unix.CLONE_SETTLS}, // runtime.clone in sys_linux_amd64.s adds it
	"arm64": {unix.AUDIT_ARCH_AARCH64, threadFlags},
}

// allowedCalls is what Go's runtime calls while a program computes. The names are the same on amd64 and arm64; the
// numbers are not.
func allowedCalls(eventfd, process uint32) []callRule {
	allow := func(call uint32, conditions ...argumentCondition) callRule { return callRule{call, conditions} }
	return []callRule{
		// input and output
		allow(unix.SYS_READ, argumentIs(0, standardInput, eventfd)),
		allow(unix.SYS_WRITE, argumentIs(0, standardOutput, standardError, eventfd)),
		allow(unix.SYS_EPOLL_PWAIT),

		// memory: private, counted by RLIMIT_DATA, never code, never a file
		allow(unix.SYS_MADVISE, argumentIs(2, unix.MADV_DONTNEED, unix.MADV_FREE, unix.MADV_HUGEPAGE, unix.MADV_NOHUGEPAGE,
			unix.MADV_COLLAPSE)),
		allow(unix.SYS_MMAP, argumentMasked(2, unix.PROT_EXEC, 0), argumentMasked(3, unix.MAP_ANONYMOUS|mapType,
			unix.MAP_ANONYMOUS|unix.MAP_PRIVATE, unix.MAP_ANONYMOUS|mapDroppable)),
		allow(unix.SYS_MPROTECT, argumentMasked(2, unix.PROT_EXEC, 0)),
		allow(unix.SYS_MUNMAP),

		// threads, and the signals between them by which the scheduler interrupts long loops
		allow(unix.SYS_FUTEX),
		allow(unix.SYS_CLONE, argumentIs(0, architectures[runtime.GOARCH].threadFlags)),
		allow(unix.SYS_GETPID),
		allow(unix.SYS_GETTID),
		allow(unix.SYS_TGKILL, argumentIs(0, process)),
		allow(unix.SYS_RT_SIGACTION),
		allow(unix.SYS_RT_SIGPROCMASK),
		allow(unix.SYS_RT_SIGRETURN),
		allow(unix.SYS_SIGALTSTACK),
		allow(unix.SYS_SCHED_YIELD),
		allow(unix.SYS_EXIT),
		allow(unix.SYS_EXIT_GROUP),

		// time, and the seeds of hash tables
		allow(unix.SYS_NANOSLEEP),
		allow(unix.SYS_CLOCK_GETTIME),
		allow(unix.SYS_RESTART_SYSCALL),
		allow(unix.SYS_GETRANDOM),
	}
}

// Where struct seccomp_data holds the number of the call, the architecture, and the lower half of the first argument
// (both architectures are little-endian).
const (
	offsetCall     = 0
	offsetArch     = 4
	offsetArgument = 16
)

// compileFilter compiles the rules to a program of the kernel's packet filter. Everything but what a rule allows is
// refused: with it 32-bit calls, by their architecture, and those of amd64's x32, whose numbers have a bit that no
// rule's has.
func compileFilter(rules []callRule) []unix.SockFilter {
	const (
		load   = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		mask   = unix.BPF_ALU | unix.BPF_AND | unix.BPF_K
		equal  = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		result = unix.BPF_RET | unix.BPF_K
	)
	refuse := unix.SockFilter{Code: result, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)}
	allow := unix.SockFilter{Code: result, K: unix.SECCOMP_RET_ALLOW}

	program := []unix.SockFilter{
		{Code: load, K: offsetArch},
		{Code: equal, Jt: 1, K: architectures[runtime.GOARCH].number},
		refuse,
		{Code: load, K: offsetCall},
	}
	for _, rule := range rules {
		var body []unix.SockFilter
		for _, condition := range rule.conditions {
			body = append(body,
				unix.SockFilter{Code: load, K: offsetArgument + 8*uint32(condition.argument)},
				unix.SockFilter{Code: mask, K: condition.mask},
			)
			for number, value := range condition.values {
				// Past the other values and the refusal.
				body = append(body, unix.SockFilter{Code: equal, Jt: uint8(len(condition.values) - number), K: value})
			}
			body = append(body, refuse)
		}
		body = append(body, allow)
		program = append(program, unix.SockFilter{Code: equal, Jf: uint8(len(body)), K: rule.call})
		program = append(program, body...)
	}
	return append(program, refuse)
}

// installFilter puts the filter on all threads at once, and sees whether it holds.
func installFilter(program []unix.SockFilter) error {
	code := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	thread, _, errno := unix.Syscall(
		unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&code)),
	)
	runtime.KeepAlive(&code)
	switch errno {
	case 0:
	case unix.ENOSYS, unix.EINVAL:
		return errors.New("the kernel has no seccomp filters (Linux has them since 3.17, with CONFIG_SECCOMP_FILTER)")
	case unix.EPERM, unix.EACCES:
		return errors.New("seccomp is forbidden here, for example by the profile of the container")
	default:
		return fmt.Errorf("the kernel refuses the seccomp filter: %w", errno)
	}
	if thread != 0 {
		return fmt.Errorf("the kernel cannot put the seccomp filter on thread %d, which has another one", thread)
	}
	// getppid(2) never fails. An emulator may take a filter, say yes, and do nothing with it.
	if _, _, errno := unix.RawSyscall(unix.SYS_GETPPID, 0, 0, 0); errno != unix.EPERM {
		return errors.New("the kernel took the seccomp filter and does not apply it")
	}
	return nil
}
