//go:build linux && (amd64 || arm64)

package lock

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// These tests start their own program again, which takes one of the roles below instead of running tests. They need
// nothing else, so that a static build of them (CGO_ENABLED=0 go test -c) proves the lock in a container, too.

const (
	roleVariable = "LOCK_TEST_ROLE"
	bareVariable = "LOCK_TEST_BARE" // set: the role does not lock itself in
	nobody       = 65534
)

var roles = map[string]func() error{
	"attack":   attackLocked,
	"every":    callEverything,
	"work":     workLocked,
	"allocate": allocateTooMuch,
	"spin":     spinLocked,
	"panic":    panicLocked,
	"wait":     waitLocked,
	"look":     lookInto,
	"refused":  lockWhereRefused,
	"fooled":   lockWhereFooled,
	"landlock": restrictFilesOnly,
}

// TestRole is where a program that was started again goes its own way.
func TestRole(*testing.T) {
	name := os.Getenv(roleVariable)
	if name == "" {
		return
	}
	if name == executedRole {
		fmt.Println(executedRole)
		os.Exit(0)
	}
	if err := roles[name](); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
	os.Exit(0)
}

const executedRole = "executed"

// A testUser is who a role runs as: root with all that root may do here, or nobody, who may do nothing.
type testUser struct {
	name       string
	credential *syscall.Credential
}

func testUsers() []testUser {
	if !hasCapability(unix.CAP_SETUID) || !hasCapability(unix.CAP_SETGID) {
		return []testUser{{name: "this user"}}
	}
	return []testUser{
		{name: "root"},
		{name: "nobody", credential: &syscall.Credential{Uid: nobody, Gid: nobody, Groups: []uint32{}}},
	}
}

func hasCapability(number int) bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var halves [2]unix.CapUserData
	err := unix.Capget(&header, &halves[0])
	return err == nil && halves[number/32].Effective&(1<<(number%32)) != 0
}

func inRole(t *testing.T, who testUser, name string, environment ...string) *exec.Cmd {
	t.Helper()
	limited, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	// By this path nobody, too, starts a program that lies in a folder of root's.
	command := exec.CommandContext(limited, "/proc/self/exe", "-test.run=^TestRole$")
	command.Env = append([]string{roleVariable + "=" + name}, environment...)
	command.SysProcAttr = &syscall.SysProcAttr{Credential: who.credential}
	command.Stderr = &bytes.Buffer{}
	command.WaitDelay = time.Second
	return command
}

func outputOf(t *testing.T, command *exec.Cmd) string {
	t.Helper()
	printed, err := command.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, command.Stderr)
	}
	return string(printed)
}

func forEachUser(t *testing.T, test func(t *testing.T, who testUser)) {
	for _, who := range testUsers() {
		t.Run(who.name, func(t *testing.T) { test(t, who) })
	}
}

func lockUnlessBare(memory, cpuSeconds uint64) error {
	if os.Getenv(bareVariable) != "" {
		return nil
	}
	return Process(memory, cpuSeconds)
}

// An attempt is something that a locked process must not achieve.
type attempt struct {
	name string
	try  func(*scene) error
	// How it may fail without the lock, where the container or the kernel has no such thing.
	otherwise []error
}

// A scene is what attempts need to have been prepared, so that only the lock stands in their way.
type scene struct {
	listener string
	socket   int
	child    int
	pipe     [2]int
	page     []byte
	code32   func() int64
	folder32 string
	kept     []any // what would be closed as garbage
}

var attempts = slices.Concat(attemptsEverywhere, attempts32())

var attemptsEverywhere = []attempt{
	{name: "open a folder", try: func(*scene) error { return openPath("/", unix.O_RDONLY) }},
	{name: "open a device to write", try: func(*scene) error { return openPath("/dev/null", unix.O_WRONLY) }},
	{
		name: "create a file", otherwise: []error{unix.EROFS, unix.EACCES},
		try: func(*scene) error {
			path := fmt.Sprintf("/tmp/lock-test-%d", os.Getpid())
			defer os.Remove(path)
			return openPath(path, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY)
		},
	},
	{name: "read the environment", try: readable("/proc/self/environ")},
	{name: "open the memory", try: func(*scene) error { return openPath("/proc/self/mem", unix.O_RDONLY) }},
	{name: "read about the parent", try: readable(fmt.Sprintf("/proc/%d/status", os.Getppid()))},
	{name: "list processes", try: func(*scene) error { _, err := os.ReadDir("/proc"); return err }},
	{name: "look up a file", try: func(*scene) error { _, err := os.Stat("/"); return err }},
	{name: "read a link", try: func(*scene) error { _, err := os.Readlink("/proc/self/exe"); return err }},
	{name: "change the folder", try: func(*scene) error { return unix.Chdir("/") }},

	{name: "make an IP socket", try: makeSocket(unix.AF_INET)},
	{name: "make a Unix socket", try: makeSocket(unix.AF_UNIX)},
	{
		name: "make a pair of sockets",
		try: func(*scene) error {
			_, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
			return err
		},
	},
	{
		name: "connect a socket",
		try: func(scene *scene) error {
			_, port, err := net.SplitHostPort(scene.listener)
			if err != nil {
				return err
			}
			var number int
			if _, err := fmt.Sscan(port, &number); err != nil {
				return err
			}
			return unix.Connect(scene.socket, &unix.SockaddrInet4{Port: number, Addr: [4]byte{127, 0, 0, 1}})
		},
	},
	{
		name: "dial",
		try: func(scene *scene) error {
			connection, err := net.DialTimeout("tcp", scene.listener, time.Second)
			if err == nil {
				_ = connection.Close()
			}
			return err
		},
	},

	{
		name: "start a program",
		try: func(*scene) error {
			process, err := startRole(executedRole)
			if err == nil {
				_, err = process.Wait()
			}
			return err
		},
	},
	{
		name: "fork",
		try: func(*scene) error {
			child, _, errno := unix.RawSyscall(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0)
			if errno != 0 {
				return errno
			}
			if child == 0 {
				unix.RawSyscall(unix.SYS_EXIT_GROUP, 0, 0, 0)
			}
			_, err := unix.Wait4(int(child), nil, 0, nil)
			return err
		},
	},
	{
		name: "trace the child",
		try: func(scene *scene) error {
			return asError(unix.RawSyscall6(unix.SYS_PTRACE, unix.PTRACE_SEIZE, uintptr(scene.child), 0, 0, 0, 0))
		},
	},
	{
		// Docker's own profile refuses it, too, before version 23.
		name: "read the child's memory", otherwise: []error{unix.ENOSYS, unix.EPERM},
		try: func(scene *scene) error {
			here := []unix.Iovec{{Base: &make([]byte, 1)[0], Len: 1}}
			there := []unix.RemoteIovec{{Base: uintptr(unsafe.Pointer(&global)), Len: 1}}
			_, err := unix.ProcessVMReadv(scene.child, here, there, 0)
			return err
		},
	},
	{name: "signal the child", try: func(scene *scene) error { return unix.Kill(scene.child, 0) }},
	{
		name: "signal a thread of the child",
		try:  func(scene *scene) error { return unix.Tgkill(scene.child, scene.child, 0) },
	},
	{name: "signal itself by kill", try: func(*scene) error { return unix.Kill(os.Getpid(), 0) }},
	{name: "change the child's limits", try: func(scene *scene) error {
		return unix.Prlimit(scene.child, unix.RLIMIT_CORE, nil, &unix.Rlimit{})
	}},

	{
		name: "map code",
		try: func(*scene) error {
			_, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_EXEC, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
			return err
		},
	},
	{
		name: "make code of data",
		try:  func(scene *scene) error { return unix.Mprotect(scene.page, unix.PROT_READ|unix.PROT_EXEC) },
	},
	{
		name: "map memory that no limit counts",
		try: func(*scene) error {
			_, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_ANONYMOUS)
			return err
		},
	},
	{
		name: "make a file in memory",
		try:  func(*scene) error { _, err := unix.MemfdCreate("test", 0); return err },
	},
	{
		name: "read another descriptor",
		try:  func(scene *scene) error { _, err := unix.Read(scene.pipe[0], make([]byte, 1)); return err },
	},
	{
		name: "write another descriptor",
		try:  func(scene *scene) error { _, err := unix.Write(scene.pipe[1], []byte("x")); return err },
	},
	{name: "copy a descriptor", try: func(*scene) error { _, err := unix.Dup(0); return err }},
	{
		name: "be looked into again",
		try:  func(*scene) error { return unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0) },
	},
	{
		name: "read the limits",
		try:  func(*scene) error { return unix.Getrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{}) },
	},
	{
		name: "open as an x32 program does", otherwise: []error{unix.ENOSYS},
		try: func(*scene) error {
			root := [...]byte{'/', 0}
			const x32 = 0x40000000
			here := unix.AT_FDCWD
			return asError(unix.RawSyscall(x32|unix.SYS_OPENAT, uintptr(here), uintptr(unsafe.Pointer(&root)), 0))
		},
	},
}

// A global variable is at the same address in every process of one program, unless that is built to lie anywhere.
var global byte

func openPath(path string, flags int) error {
	descriptor, err := unix.Open(path, flags, 0o600)
	if err == nil {
		_ = unix.Close(descriptor)
	}
	return err
}

func readable(path string) func(*scene) error {
	return func(*scene) error { _, err := os.ReadFile(path); return err }
}

func makeSocket(family int) func(*scene) error {
	return func(*scene) error {
		descriptor, err := unix.Socket(family, unix.SOCK_STREAM, 0)
		if err == nil {
			_ = unix.Close(descriptor)
		}
		return err
	}
}

func asError(_, _ uintptr, errno unix.Errno) error {
	if errno != 0 {
		return errno
	}
	return nil
}

func startRole(name string, files ...*os.File) (*os.Process, error) {
	return os.StartProcess("/proc/self/exe", []string{"role", "-test.run=^TestRole$"}, &os.ProcAttr{
		Env:   []string{roleVariable + "=" + name, bareVariable + "=1"},
		Files: files,
	})
}

func prepareScene() (*scene, error) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	here := &scene{listener: listener.Addr().String(), kept: []any{listener}}
	if here.socket, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
		return nil, err
	}
	if err := unix.Pipe2(here.pipe[:], unix.O_CLOEXEC); err != nil {
		return nil, err
	}
	if _, err := unix.Write(here.pipe[1], []byte("x")); err != nil {
		return nil, err
	}
	if err := here.startChild(); err != nil {
		return nil, err
	}
	here.page, err = unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return nil, err
	}
	here.folder32 = fmt.Sprintf("/tmp/lock-test-32-%d", os.Getpid())
	here.code32, err = makeFolder32(here.folder32)
	return here, err
}

// startChild starts a process that waits for the end of its input, which comes with the end of this one.
func (s *scene) startChild() error {
	input, kept, err := os.Pipe()
	if err != nil {
		return err
	}
	ready, output, err := os.Pipe()
	if err != nil {
		return err
	}
	child, err := startRole("wait", input, output)
	if err != nil {
		return err
	}
	s.child = child.Pid
	s.kept = append(s.kept, kept)
	_, err = ready.Read(make([]byte, 1))
	return err
}

// attempts32 is a call of a 32-bit program, where the kernel has these. Its number is that of mkdir there, and that of
// getpid for the rest of this process.
func attempts32() []attempt {
	if !hasCalls32() {
		return nil
	}
	return []attempt{{
		name: "make a folder as a 32-bit program does", otherwise: []error{unix.EROFS, unix.EACCES},
		try: func(scene *scene) error {
			if number := scene.code32(); number < 0 {
				return unix.Errno(-number)
			}
			return os.Remove(scene.folder32)
		},
	}}
}

func hasCalls32() bool {
	_, err := os.Stat("/proc/sys/abi/vsyscall32")
	return err == nil && runtime.GOARCH == "amd64"
}

// makeFolder32 returns machine code that makes a folder as a 32-bit program does.
func makeFolder32(path string) (func() int64, error) {
	if !hasCalls32() {
		return nil, nil
	}
	const low = 0x40 // MAP_32BIT: a pointer to it has 32 bits
	const protection = unix.PROT_READ | unix.PROT_WRITE | unix.PROT_EXEC
	page, err := unix.Mmap(-1, 0, 4096, protection, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|low)
	if err != nil {
		return nil, err
	}
	const offset = 2048
	copy(page[offset:], path+"\x00")
	code := []byte{
		0xb8, 39, 0, 0, 0, // mov eax, 39 (mkdir)
		0xbb, 0, 0, 0, 0, // mov ebx, path
		0xb9, 0xc0, 1, 0, 0, // mov ecx, 0700
		0xcd, 0x80, // int 0x80
		0x48, 0x63, 0xc0, // movsxd rax, eax
		0xc3, // ret
	}
	binary.LittleEndian.PutUint32(code[6:], uint32(uintptr(unsafe.Pointer(&page[offset]))))
	copy(page, code)
	// A function in Go is a pointer to a pointer to code.
	entry := &page[0]
	function := unsafe.Pointer(&entry)
	return *(*func() int64)(unsafe.Pointer(&function)), nil
}

// attackLocked makes all attempts and prints how each ended. Last it becomes another program, if it can.
func attackLocked() error {
	here, err := prepareScene()
	if err != nil {
		return err
	}
	if err := lockUnlessBare(0, 0); err != nil {
		return err
	}
	encoder := json.NewEncoder(os.Stdout)
	for _, attempt := range attempts {
		var errno unix.Errno
		err := attempt.try(here)
		if err != nil && !errors.As(err, &errno) {
			return fmt.Errorf("%s: %w", attempt.name, err)
		}
		if err := encoder.Encode(attemptOutcome{attempt.name, int(errno)}); err != nil {
			return err
		}
	}
	runtime.KeepAlive(here)
	environment := []string{roleVariable + "=" + executedRole}
	err = unix.Exec("/proc/self/exe", []string{"role", "-test.run=^TestRole$"}, environment)
	if !errors.Is(err, unix.EPERM) {
		return err
	}
	return nil
}

type attemptOutcome struct {
	Name  string
	Errno int
}

func readOutcomes(t *testing.T, printed string) (found map[string]unix.Errno, executed bool) {
	t.Helper()
	found = map[string]unix.Errno{}
	for line := range strings.Lines(printed) {
		if strings.TrimSpace(line) == executedRole {
			executed = true
			continue
		}
		var one attemptOutcome
		if err := json.Unmarshal([]byte(line), &one); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		found[one.Name] = unix.Errno(one.Errno)
	}
	if len(found) != len(attempts) {
		t.Fatalf("%d of %d attempts: %s", len(found), len(attempts), printed)
	}
	return found, executed
}

func TestLockedProcessAchievesNothing(t *testing.T) {
	forEachUser(t, func(t *testing.T, who testUser) {
		found, executed := readOutcomes(t, outputOf(t, inRole(t, who, "attack")))
		for name, errno := range found {
			if errno != unix.EPERM {
				t.Errorf("%s: %v, not EPERM", name, errno)
			}
		}
		if executed {
			t.Error("became another program")
		}
	})
}

// Without the lock the same attempts succeed: it is the lock that refuses them, and not something around the test.
func TestAttemptsSucceedWithoutLock(t *testing.T) {
	forEachUser(t, func(t *testing.T, who testUser) {
		found, executed := readOutcomes(t, outputOf(t, inRole(t, who, "attack", bareVariable+"=1")))
		for _, attempt := range attempts {
			errno := found[attempt.name]
			if errno != 0 && !slices.Contains(attempt.otherwise, error(errno)) {
				t.Errorf("%s: %v", attempt.name, errno)
			}
		}
		if !executed {
			t.Error("did not become another program")
		}
	})
}

// What the filter lets through, whatever its arguments. A call that joins the list of the lock joins this one, too, by
// somebody who thought about it.
var letThrough = []uintptr{
	unix.SYS_EPOLL_PWAIT, unix.SYS_MUNMAP, unix.SYS_FUTEX, unix.SYS_GETPID, unix.SYS_GETTID, unix.SYS_RT_SIGACTION,
	unix.SYS_RT_SIGPROCMASK, unix.SYS_RT_SIGRETURN, unix.SYS_SIGALTSTACK, unix.SYS_SCHED_YIELD, unix.SYS_EXIT,
	unix.SYS_EXIT_GROUP, unix.SYS_NANOSLEEP, unix.SYS_CLOCK_GETTIME, unix.SYS_RESTART_SYSCALL, unix.SYS_GETRANDOM,
}

const lastCall = 1024 // the kernel has about 470

// Since 6.14 seccomp does not see the calls by which the kernel's own trampolines of probes come back on amd64. Whoever
// else makes them gets SIGILL.
const uretprobe, uprobe = 335, 336

// callEverything makes every system call that there is or may be one day, but for those that the filter lets through,
// with arguments that it must not let through, and prints those that were not refused.
func callEverything() error {
	if err := Process(0, 0); err != nil {
		return err
	}
	if err := openPath("/", unix.O_RDONLY); !errors.Is(err, unix.EPERM) {
		return errors.New("not locked, so nothing of this is tried")
	}
	for _, family := range []uintptr{0, 0x40000000} { // x32
		for number := range uintptr(lastCall) {
			trampoline := runtime.GOARCH == "amd64" && (number == uretprobe || number == uprobe)
			if family == 0 && (trampoline || slices.Contains(letThrough, number)) {
				continue
			}
			// All bits: no descriptor, no advice, no process, and every flag.
			all := ^uintptr(0)
			if _, _, errno := unix.RawSyscall6(family|number, all, all, all, all, all, all); errno != unix.EPERM {
				fmt.Println(family|number, errno)
			}
		}
	}
	fmt.Println("done")
	return nil
}

func TestEveryOtherCallIsRefused(t *testing.T) {
	forEachUser(t, func(t *testing.T, who testUser) {
		if printed := outputOf(t, inRole(t, who, "every")); printed != "done\n" {
			t.Errorf("not refused: %s", printed)
		}
	})
}

// workLocked does what a renderer may do: read, write, compute, collect garbage, start threads, wait, recover.
func workLocked() error {
	if err := Process(1<<30, 60); err != nil {
		return err
	}
	input := bufio.NewReader(os.Stdin)
	for {
		line, err := input.ReadString('\n')
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if _, err := os.Stdout.WriteString(line); err != nil {
			return err
		}
	}
	produceGarbage()
	startThreads()
	if err := interruptLoop(); err != nil {
		return err
	}
	if depth := recurseTo(1_000_000); depth != 1_000_000 {
		return fmt.Errorf("depth %d", depth)
	}
	if err := dereferenceNil(); err == nil {
		return errors.New("no panic")
	}
	if _, err := rand.Read(make([]byte, 32)); err != nil {
		return err
	}
	fmt.Println("done")
	return nil
}

// produceGarbage allocates a gigabyte, of which it holds a tenth at a time.
func produceGarbage() {
	held := make([][]byte, 100)
	for number := range 1000 {
		held[number%len(held)] = bytes.Repeat([]byte{byte(number)}, 1<<20)
	}
	runtime.GC()
	runtime.KeepAlive(held)
}

// startThreads has 50 threads wait at the same time.
func startThreads() {
	var all sync.WaitGroup
	start := make(chan struct{})
	for range 50 {
		all.Go(func() {
			runtime.LockOSThread() // and the thread ends with the goroutine
			<-start
			time.Sleep(time.Millisecond)
		})
	}
	close(start)
	all.Wait()
}

// interruptLoop has a loop that calls nothing give way to a timer, by a signal to its thread.
func interruptLoop() error {
	var stop atomic.Bool
	time.AfterFunc(10*time.Millisecond, func() { stop.Store(true) })
	go func() {
		for !stop.Load() {
		}
	}()
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	deadline := time.After(10 * time.Second)
	for !stop.Load() {
		select {
		case <-ticker.C:
		case <-deadline:
			return errors.New("the loop was not interrupted")
		}
	}
	return nil
}

//go:noinline
func recurseTo(depth int) int {
	if depth == 0 {
		return 0
	}
	return recurseTo(depth-1) + 1
}

func dereferenceNil() (err error) {
	defer func() { err, _ = recover().(error) }()
	var nothing *attemptOutcome
	nothing.Errno = 1
	return nil
}

func TestLockedProcessWorks(t *testing.T) {
	const input = "first\nsecond\n"
	for _, processors := range []string{"1", "4"} {
		forEachUser(t, func(t *testing.T, who testUser) {
			command := inRole(t, who, "work", "GOMAXPROCS="+processors)
			command.Stdin = strings.NewReader(input)
			if printed := outputOf(t, command); printed != input+"done\n" {
				t.Errorf("printed %q", printed)
			}
		})
	}
}

func TestStandardOutputMayBeFile(t *testing.T) {
	file, err := os.CreateTemp("", "lock-test-")
	if err != nil {
		t.Skip(err) // a container whose root is read-only
	}
	defer os.Remove(file.Name())
	defer file.Close()
	command := inRole(t, testUsers()[0], "work")
	command.Stdout = file
	if err := command.Run(); err != nil {
		t.Fatalf("%v\n%s", err, command.Stderr)
	}
	if written, err := os.ReadFile(file.Name()); err != nil || string(written) != "done\n" {
		t.Errorf("wrote %q, %v", written, err)
	}
}

const testMemory = 256 << 20

// allocateTooMuch allocates twice what it may.
func allocateTooMuch() error {
	if err := Process(testMemory, 60); err != nil {
		return err
	}
	var held [][]byte
	for range 2 * testMemory >> 20 {
		held = append(held, bytes.Repeat([]byte{1}, 1<<20))
	}
	runtime.KeepAlive(held)
	return nil
}

func TestMemoryLimitEndsProcess(t *testing.T) {
	forEachUser(t, func(t *testing.T, who testUser) {
		command := inRole(t, who, "allocate")
		begin := time.Now()
		err := command.Run()
		if took := time.Since(begin); took > 30*time.Second {
			t.Errorf("took %s", took)
		}
		printed := fmt.Sprint(command.Stderr)
		said := strings.Contains(printed, "out of memory") || strings.Contains(printed, "cannot allocate memory")
		if command.ProcessState.ExitCode() != 2 || !said {
			t.Errorf("%v: %.500s", err, printed)
		}
	})
}

// spinLocked computes for much longer than it may.
func spinLocked() error {
	if err := Process(0, 1); err != nil {
		return err
	}
	for begin := time.Now(); time.Since(begin) < 50*time.Second; {
	}
	return nil
}

func TestProcessorTimeLimitEndsProcess(t *testing.T) {
	command := inRole(t, testUsers()[0], "spin")
	err := command.Run()
	if status, _ := command.ProcessState.Sys().(syscall.WaitStatus); status.Signal() != unix.SIGKILL {
		t.Errorf("%v: %s", err, command.Stderr)
	}
	if used := command.ProcessState.UserTime() + command.ProcessState.SystemTime(); used > 5*time.Second {
		t.Errorf("used %s", used)
	}
}

func panicLocked() error {
	if err := Process(0, 0); err != nil {
		return err
	}
	done := make(chan struct{})
	go func() { panic("on purpose") }()
	<-done
	return nil
}

func TestPanicIsPrinted(t *testing.T) {
	command := inRole(t, testUsers()[0], "panic")
	_ = command.Run()
	printed := fmt.Sprint(command.Stderr)
	if command.ProcessState.ExitCode() != 2 || !strings.Contains(printed, "panic: on purpose") ||
		!strings.Contains(printed, "panicLocked") {
		t.Errorf("ended with %s: %s", command.ProcessState, printed)
	}
}

// waitLocked says that it is ready, and waits for the end of its input.
func waitLocked() error {
	if err := lockUnlessBare(0, 0); err != nil {
		return err
	}
	fmt.Println("ready")
	_, err := io.Copy(io.Discard, onlyReader{os.Stdin})
	return err
}

type onlyReader struct{ io.Reader }

// lookInto prints how looking into the process that its input names ends.
func lookInto() error {
	var process int
	if _, err := fmt.Scan(&process); err != nil {
		return err
	}
	for _, file := range []string{"environ", "mem"} {
		var errno unix.Errno
		err := openPath(fmt.Sprintf("/proc/%d/%s", process, file), unix.O_RDONLY)
		errors.As(err, &errno)
		fmt.Println(file, int(errno))
	}
	return nil
}

// startWaitingRole starts a process that has locked itself in, unless it is bare, and ends with the test.
func startWaitingRole(t *testing.T, who testUser, bare string) int {
	t.Helper()
	waiting := inRole(t, who, "wait", bareVariable+"="+bare)
	waiting.ExtraFiles = []*os.File{os.Stderr} // left open by mistake
	input, err := waiting.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	ready, err := waiting.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := waiting.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(ready).ReadString('\n'); err != nil {
		t.Fatal(line, err, waiting.Stderr)
	}
	t.Cleanup(func() {
		_ = input.Close()
		_ = waiting.Wait()
	})
	return waiting.Process.Pid
}

func TestLockedProcessIsHiddenFromItsUser(t *testing.T) {
	users := testUsers()
	who := users[len(users)-1]
	if who.credential == nil && hasCapability(unix.CAP_SYS_PTRACE) {
		t.Skip("nothing is hidden from this user")
	}
	for bare, expected := range map[string]unix.Errno{"": unix.EACCES, "1": 0} {
		looking := inRole(t, who, "look")
		looking.Stdin = strings.NewReader(fmt.Sprintln(startWaitingRole(t, who, bare)))
		if printed := outputOf(t, looking); printed != fmt.Sprintf("environ %d\nmem %d\n", expected, expected) {
			t.Errorf("bare=%q: %s", bare, printed)
		}
	}
}

// What the kernel says of each thread of a locked process, and of its limits.
func TestKernelConfirmsLock(t *testing.T) {
	forEachUser(t, func(t *testing.T, who testUser) {
		folder := fmt.Sprintf("/proc/%d", startWaitingRole(t, who, ""))
		threads, err := filepath.Glob(folder + "/task/*/status")
		if err != nil || len(threads) < 2 {
			t.Fatal(threads, err)
		}
		const nothing = "0000000000000000"
		expected := map[string][]string{
			"NoNewPrivs:": {"1"}, "Seccomp:": {"2"}, "CapInh:": {nothing}, "CapPrm:": {nothing}, "CapEff:": {nothing},
		}
		for _, thread := range threads {
			expectFields(t, thread, expected)
		}
		expectFields(t, folder+"/limits", map[string][]string{
			"Max open files ": {"0", "0", "files"}, "Max core file size ": {"0", "0", "bytes"},
		})
		if hasCapability(unix.CAP_SYS_PTRACE) { // others cannot see it
			expectDescriptors(t, folder+"/fd/")
		}
	})
}

// expectDescriptors sees that nothing is open but the standard descriptors and those of Go's runtime.
func expectDescriptors(t *testing.T, folder string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	var others []string
	for _, entry := range entries {
		if slices.Contains([]string{"0", "1", "2"}, entry.Name()) {
			continue
		}
		target, err := os.Readlink(folder + entry.Name())
		if err != nil {
			t.Fatal(err)
		}
		others = append(others, target)
	}
	slices.Sort(others)
	if !slices.Equal(others, []string{"anon_inode:[eventfd]", "anon_inode:[eventpoll]"}) {
		t.Errorf("open: %q", others)
	}
}

func expectFields(t *testing.T, path string, expected map[string][]string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, fields := range expected {
		_, rest, found := strings.Cut("\n"+string(text), "\n"+name)
		line, _, _ := strings.Cut(rest, "\n")
		if !found || !slices.Equal(strings.Fields(line), fields) {
			t.Errorf("%s: %s %q, not %q", path, name, line, fields)
		}
	}
}

// answerSeccomp has the kernel answer seccomp(2) in this way from now on.
func answerSeccomp(errno unix.Errno) error {
	program := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offsetCall},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: unix.SYS_SECCOMP},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(errno)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	code := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	return asError(unix.Syscall(
		unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&code)),
	))
}

func lockWhereRefused() error {
	if err := answerSeccomp(unix.ENOSYS); err != nil {
		return err
	}
	fmt.Println(Process(0, 0))
	return nil
}

func lockWhereFooled() error {
	if err := answerSeccomp(0); err != nil {
		return err
	}
	fmt.Println(Process(0, 0))
	return nil
}

func TestKernelThatRefusesIsError(t *testing.T) {
	for name, words := range map[string]string{
		"refused": "the kernel has no seccomp filters",
		"fooled":  "does not apply it",
	} {
		if printed := outputOf(t, inRole(t, testUsers()[0], name)); !strings.Contains(printed, words) {
			t.Errorf("%s: %s", name, printed)
		}
	}
}

// restrictFilesOnly shows what the second wall does where the first is missing.
func restrictFilesOnly() error {
	if err := dropPrivileges(); err != nil {
		return err
	}
	if err := restrictFiles(); err != nil {
		return err
	}
	fmt.Println(int(errnoOf(openPath("/", unix.O_RDONLY))))
	return nil
}

func errnoOf(err error) (errno unix.Errno) {
	errors.As(err, &errno)
	return errno
}

func TestLandlockAloneDeniesFiles(t *testing.T) {
	_, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		t.Skip("no Landlock here: ", errno)
	}
	forEachUser(t, func(t *testing.T, who testUser) {
		if printed := outputOf(t, inRole(t, who, "landlock")); printed != fmt.Sprintln(int(unix.EACCES)) {
			t.Errorf("open: %s", printed)
		}
	})
}
