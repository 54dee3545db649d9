# shellcheck shell=bash disable=SC2034  # DEV, ID and others are for the case
# SPDX-License-Identifier: BSD-2-Clause
# vm/lib.sh: what the cases, the demo and the benchmarks share.  Sourced with
# the current directory being the case's own, empty one; as root, in the guest.
set -u -o pipefail

UBLK_EVDEMO=${UBLK_EVDEMO:-${BUILD:-.}/ublk-evdemo}
# libtool's wrapper is a long script: what it would run, run at once.
if [ "$(head -c 2 "$UBLK_EVDEMO" 2>/dev/null)" = '#!' ] &&
    [ -x "${UBLK_EVDEMO%/*}/.libs/${UBLK_EVDEMO##*/}" ]; then
	export LD_LIBRARY_PATH=${UBLK_EVDEMO%/*}/.libs
	UBLK_EVDEMO=$LD_LIBRARY_PATH/${UBLK_EVDEMO##*/}
fi
UBLK_EVCTL=${UBLK_EVDEMO%/*}/ublk-evctl
# shellcheck source=vm/backing.sh
. "${BASH_SOURCE[0]%/*}/backing.sh"
DEMO_PID='' DEV='' ID='' DEMO_N=0

note() {
	echo "# $*"
}

fail() {
	echo "FAIL: $*"
	exit 1
}

skip() {
	echo "skipped: $*"
	exit 77
}

# The rest of a condition that may take a while: wait_for SECONDS COMMAND...
wait_for() {
	local left=$(($1 * 20))
	shift
	until "$@"; do
		[ $left -gt 0 ] || return 1
		left=$((left - 1))
		sleep 0.05
	done
}

gone() {
	[ ! -e "$1" ]
}

dead() {
	# A zombie is dead, though kill -0 would still find it.
	! grep -qs '^State:[[:space:]]*[^ZX[:space:]]' "/proc/$1/status"
}

seconds() {
	echo "$EPOCHREALTIME"
}

# since T: seconds since T with two digits; less A B: whether A < B
since() {
	awk "BEGIN { printf \"%.2f\", $EPOCHREALTIME - $1 }"
}

less() {
	awk "BEGIN { exit !($1 < $2) }"
}

# has_feature NAME: whether this kernel's driver has it
has_feature() {
	"$UBLK_EVCTL" features >features.out || fail "no features to be had"
	grep -q "^$1 *yes" features.out
}

# has_fault NAME: whether this kernel's driver has a fault that a case has to
# go around.  What tells is the feature that came with the release which no
# longer has it: the number of a distribution's release says little.
has_fault() {
	case $1 in
	# Its cancel function warns (WARN_ON) of a server that dies between its
	# first FETCH and its last: up to 6.12.
	warns_of_half_fetched) ! has_feature PER_IO_DAEMON ;;
	# A device whose server dies between START_ and END_USER_RECOVERY can
	# never be recovered: up to 7.2.  Its broker deletes it.
	half_recovered_is_lost) ! has_feature IO_DESC_SIZE ;;
	# Of a recovery whose server dies between its first FETCH and its last
	# it keeps a reference: device and module are never freed, though the
	# nodes are gone.  Seen from 6.16 to 6.18, and on 7.2 no more.
	half_fetched_recovery_leaks)
		has_feature PER_IO_DAEMON && ! has_feature SHMEM_ZC ;;
	# A request that comes when a dead server's ring is being closed may
	# never end, nor does the closing: seen on 6.16. That a later one of
	# these series has it mended no feature tells.
	exit_loses_work)
		has_feature PER_IO_DAEMON && ! has_feature BATCH_IO ;;
	# ADD_DEV crashes it, which cannot be tried: what is known of it is told.
	crashes_at_add)
		"$UBLK_EVCTL" doctor >doctor.out 2>&1
		grep -q '^[a-z]*  *kernel: .*ADD_DEV may crash' doctor.out ;;
	*) fail "no fault is called '$1'" ;;
	esac
}

# built PATH: sets PROG to what libtool's wrapper of that program of the build
# tree would run.
built() {
	PROG=$BUILD/${1%/*}/.libs/${1##*/}
	if [ -x "$PROG" ]; then
		export LD_LIBRARY_PATH=$BUILD/.libs
	else
		PROG=$BUILD/$1
	fi
	[ -x "$PROG" ] || fail "$1 was not built"
}

# --- the daemon ---

# demo_start [ARG...]: starts a daemon, waits until its device is live.  Sets
# DEMO_PID, DEV, ID, DEMO_LOG (its stderr) and DEMO_SOCK (its control socket).
# A further call starts a further daemon.  DEMO_PLAIN=1: no control socket;
# DEMO_ARGS: more arguments, for every daemon.
demo_start() {
	demo_try "$@" ||
		fail "ublk-evdemo $*: no device: $(tail -n1 "$DEMO_LOG")"
}

# demo_try [ARG...]: does what demo_start does, but is false when the daemon ended
# without a device.
demo_try() {
	local out
	DEMO_N=$((DEMO_N + 1))
	out=demo.$DEMO_N.out
	DEMO_LOG=demo.$DEMO_N.log
	DEMO_SOCK=$PWD/demo.$DEMO_N.sock
	# The file shall exist before the first look at it.
	: >$out
	# A control socket where the case looks for it.
	[ -n "${DEMO_PLAIN-}" ] || set -- --control "$DEMO_SOCK" "$@"
	# shellcheck disable=SC2086  # several arguments
	disk_args ${DEMO_ARGS-} "$@"
	"$UBLK_EVDEMO" "${DISK_ARGS[@]}" >$out 2>"$DEMO_LOG" &
	DEMO_PID=$!
	# shellcheck disable=SC2317
	is_live() {
		grep -q . "$out" || dead "$DEMO_PID"
	}
	wait_for 30 is_live || fail "no device after 30 s: ublk-evdemo $*"
	DEV=$(head -n1 $out)
	[ -n "$DEV" ] || return 1
	ID=${DEV#/dev/ublkb}
	[ -b "$DEV" ] || fail "ublk-evdemo printed '$DEV', no block device"
}

# Everything a device of that number has in the system is gone.
no_device() {
	gone "/dev/ublkb$1" && gone "/dev/ublkc$1" &&
		gone "/sys/block/ublkb$1" && gone "/sys/class/ublk-char/ublkc$1"
}

# demo_ended SECONDS: it ends in time, with status 0, and leaves no device.
demo_ended() {
	local status=0
	wait_for "$1" dead "$DEMO_PID" ||
		fail "ublk-evdemo still there $1 s after it was to end"
	wait "$DEMO_PID" || status=$?
	[ $status = 0 ] ||
		fail "ublk-evdemo ended with $status: $(tail -n1 "$DEMO_LOG")"
	no_device "$ID" || fail "ublk-evdemo is gone but device $ID is not"
	DEMO_PID=
}

# shellcheck disable=SC2120  # the seconds are optional
demo_stop() {
	kill -TERM "$DEMO_PID" || fail "ublk-evdemo is not there any more"
	demo_ended "${1:-20}"
}

# The control socket's answer, one line of JSON.
# shellcheck disable=SC2120  # the command is optional
demo_json() {
	# shellcheck disable=SC2016  # perl's variables
	perl -MIO::Socket::UNIX -e '
		my $s = IO::Socket::UNIX->new(Peer => $ARGV[0]) or
			die "control socket: $!\n";
		print $s "$ARGV[1]\n";
		print scalar <$s>;' "$DEMO_SOCK" "${1:-stats}"
}

# stat .ops.WRITE.reqs: one figure of the control socket's answer to "stats"
stat_of() {
	demo_json stats | jq -r "$1" || fail "no statistics from $DEMO_SOCK"
}

# demo_refuses STATUS ARG...: it ends at once with that status, one line on
# stderr, nothing on stdout and no device.  The line is in REFUSAL.
demo_refuses() {
	local want=$1 status=0 before after
	shift
	before=$(echo /dev/ublkc*)
	# shellcheck disable=SC2086  # DEMO_WRAP is a command and its arguments
	timeout -k 1 30 ${DEMO_WRAP:-} "$UBLK_EVDEMO" "$@" >refuse.out \
		2>refuse.err || status=$?
	REFUSAL=$(cat refuse.err)
	note "[$*] -> $status: $REFUSAL"
	[ $status = "$want" ] || fail "ublk-evdemo $*: status $status, not $want"
	[ ! -s refuse.out ] || fail "ublk-evdemo $*: $(head -n1 refuse.out)"
	[ "$(wc -l <refuse.err)" = 1 ] ||
		fail "ublk-evdemo $*: not one line on stderr"
	after=$(echo /dev/ublkc*)
	[ "$before" = "$after" ] ||
		fail "ublk-evdemo $*: left a device: $after, before: $before"
}

# with_args "ARG..." CASE...: what other cases, or functions, ask of the default,
# asked of daemons with these arguments.
with_args() {
	local args=$1 vm=${BASH_SOURCE[0]%/*} c dir t status
	shift
	for c; do
		t=$(seconds)
		dir=with$(tr -d ' /' <<<"$args").$c
		mkdir "$dir"
		status=0
		(
			cd "$dir" || exit 1
			DEMO_ARGS=$args
			[ "$(type -t "$c")" != function ] || { "$c"; exit; }
			set -- "$vm"
			# shellcheck disable=SC1090
			. "$vm/cases/$c.sh"
		) >"$dir.log" 2>&1 || status=$?
		case $status in
		0) note "$args: $c: $(since "$t") s" ;;
		77) note "$args: $c: $(tail -n1 "$dir.log")" ;;
		*)	cat "$dir.log"
			fail "$c with $args" ;;
		esac
	done
}

# --- a process' figures ---

rss_kb() {
	# status adds up counters of each CPU, and is some hundred KiB off
	awk '/^Rss:/ { print $2 }' "/proc/$1/smaps_rollup"
}

fd_count() {
	# shellcheck disable=SC2012  # numbers only
	ls "/proc/$1/fd" | wc -l
}

map_count() {
	wc -l <"/proc/$1/maps"
}

# --- data ---

# random_file NAME BYTES [SEED]: the same bytes for the same seed, every time
random_file() {
	head -c "$2" /dev/zero | openssl enc -aes-128-ctr -nosalt -md sha256 \
		-pass "pass:${3:-1}" 2>/dev/null >"$1"
}

sum() {
	sha256sum | cut -d' ' -f1
}

# same FILE: the device begins with exactly what is in FILE, read from the
# server and not from the page cache
same() {
	local bytes
	bytes=$(stat -c %s "$1")
	blockdev --flushbufs "$DEV"
	cmp -n "$bytes" "$1" "$DEV"
}

# fio_run NAME ARG...: one fio job on DEV; fails the case if fio fails
fio_run() {
	local name=$1
	shift
	fio --name="$name" --filename="$DEV" --direct=1 --ioengine=io_uring \
		--fallocate=none --output="fio.$name" --eta=never "$@" \
		>"fio.$name.err" 2>&1 || {
		tail -n20 "fio.$name" "fio.$name.err" 2>/dev/null
		fail "fio $name $*"
	}
}

# --- a file system ---

# file_system MKFS CHECK: on DEV; a tree unpacked, compared, and again after a
# remount, trimmed, checked.  Both are commands that get the device.
file_system() {
	local mkfs=$1 check=$2 i
	$mkfs "$DEV" || fail "$mkfs"
	mkdir mnt tree
	mount "$DEV" mnt || fail "mount"
	trap 'mountpoint -q mnt && umount mnt' EXIT
	# Real files, small and large, and links of both sorts.
	# Sources only: what a build has left beside them may be any size.
	(cd "$SRC" && find include vm tests -type f \
		\( -name '*.[ch]' -o -name '*.sh' \) -print0) |
		tar -C "$SRC" --null -T - -cf - | tar -C tree -xf - ||
		fail "no tree"
	for i in $(seq 40); do
		random_file "tree/r$i" $((i * i * 300)) "$i"
	done
	ln -s r1 tree/sym
	ln tree/r2 tree/hard
	tar -C tree -cf - . | tar -C mnt -xf - || fail "unpack"
	diff -r --no-dereference tree mnt/ -x lost+found || fail "differs"
	umount mnt || fail "umount"
	mount "$DEV" mnt || fail "mount again"
	diff -r --no-dereference tree mnt/ -x lost+found || fail "differs after remount"
	rm -r mnt/vm mnt/r*
	fstrim mnt || fail "fstrim"
	umount mnt || fail "umount"
	$check "$DEV" >check.out 2>&1 || fail "$check: $(tail -n3 check.out)"
}

# crash_rounds FILE [CHECK [OPTION...]]: a server of FILE with these options is
# killed ROUNDS times while the oracle writes; all that was answered is there, in
# the device and in the file.  CHECK: called when the last one has served it.
crash_rounds() {
	local file=$1 check=${2:-:} oracle
	local blocks=2048 witness=/dev/shm/$$.witness writer
	shift $(($# < 2 ? $# : 2))
	built tests/e2e/e2e_oracle
	oracle=$PROG
	rm -f $witness $witness.stop
	demo_start --file "$file" --size 8M --recovery reissue "$@"
	"$oracle" write "$DEV" $blocks $witness >oracle.out 2>&1 &
	writer=$!
	for _ in $(seq "${ROUNDS:-4}"); do
		# shellcheck disable=SC2317
		writes() {
			dead $writer || [ "$(stat_of .ops.WRITE.reqs)" -gt 200 ]
		}
		wait_for 60 writes || fail "nothing is written"
		demo_kill
		demo_start --recover "$ID" --file "$file" --size 8M
	done
	touch $witness.stop
	wait $writer || fail "the writer: $(cat oracle.out)"
	note "$file: $(cat oracle.out)"
	$check
	blockdev --flushbufs "$DEV"
	"$oracle" check "$DEV" $blocks $witness >found || fail "$(cat found)"
	demo_stop
	"$oracle" check "$file" $blocks $witness >found ||
		fail "in the file: $(cat found)"
}

# kill_under_load SECONDS: kill -9 while fio keeps the disk busy; the daemon is
# reaped in that time, and fio ends with an error.  T: when it was killed.
kill_under_load() {
	local fio
	fio --name=load --filename="$DEV" --direct=1 --ioengine=io_uring \
		--rw=randrw --bs=4k --iodepth=64 --time_based --runtime=60 \
		--eta=never >fio.load 2>&1 &
	fio=$!
	# shellcheck disable=SC2317
	busy() {
		[ "$(stat_of .ops.WRITE.reqs)" -gt 1000 ]
	}
	wait_for 30 busy || fail "fio does not get going"
	kill -KILL "$DEMO_PID"
	T=$(seconds)
	wait_for "$1" dead "$DEMO_PID" || fail "not reaped after $1 s"
	wait "$DEMO_PID"
	note "dead after $(since "$T") s"
	# A server that had every request fails them at the block layer's time-out.
	wait_for 45 dead $fio || fail "fio hangs"
	note "fio ended after $(since "$T") s"
	! wait $fio || fail "fio saw no error"
}

# --- a disk that stops answering ---

# hold_start [ARG...]: starts e2e_hold.  Sets HOLD_PID, HOLD_LOG and HOLD_OUT.
hold_start() {
	built tests/e2e/e2e_hold
	DEMO_N=$((DEMO_N + 1))
	HOLD_OUT=hold.$DEMO_N.out
	HOLD_LOG=hold.$DEMO_N.log
	: >$HOLD_OUT
	"$PROG" "$@" >$HOLD_OUT 2>$HOLD_LOG &
	HOLD_PID=$!
}

# hold_live: waits until the disk of hold_start is live, and sets DEV and ID.
hold_live() {
	# shellcheck disable=SC2317
	is_live() {
		grep -q . "$HOLD_OUT" || dead "$HOLD_PID"
	}
	wait_for 30 is_live || fail "e2e_hold: no device after 30 s"
	DEV=$(head -n1 "$HOLD_OUT")
	[ -n "$DEV" ] || fail "e2e_hold: $(tail -n1 "$HOLD_LOG")"
	ID=${DEV#/dev/ublkb}
}

# hold_said SECONDS REGEXP: waits for a line in the log of e2e_hold
hold_said() {
	wait_for "$1" grep -q "$2" "$HOLD_LOG" || {
		cat "$HOLD_LOG"
		fail "e2e_hold does not say '$2'"
	}
}

# hold_kill: kill -9 to e2e_hold, which must be reaped in 2 s; device ID must vanish
# in 10 s.
hold_kill() {
	local t
	t=$(seconds)
	kill -KILL "$HOLD_PID" || fail "e2e_hold has ended by itself"
	wait_for 2 dead "$HOLD_PID" || fail "not reaped after 2 s"
	wait "$HOLD_PID"
	note "reaped after $(since "$t") s"
	wait_for 10 no_device "$ID" || fail "device $ID is not deleted"
	note "device gone after $(since "$t") s"
	wait_for 10 no_broker || fail "the broker is still there"
	note "broker gone after $(since "$t") s"
}

no_broker() {
	[ -z "$(pgrep -x ublkev-broker)" ]
}

# new_device: the number of device ID serves again, in 10 s.  It is free when the
# driver has dropped its last reference to the old device (ublk_cdev_rel()),
# which is after the nodes are gone, and nothing but ADD_DEV can tell.
new_device() {
	# shellcheck disable=SC2317
	number_serves() {
		! demo_try --size 64M --id "$ID" || return 0
		grep -q 'ADD_DEV: File exists' "$DEMO_LOG" ||
			fail "number $ID: $(tail -n1 "$DEMO_LOG")"
		# the next one may have this one's files
		DEMO_N=$((DEMO_N - 1))
		return 1
	}
	wait_for 10 number_serves || fail "number $ID is not free"
	random_file ref $((1 << 20))
	dd if=ref of="$DEV" bs=64k oflag=direct status=none || fail "write"
	same ref || fail "the new device of the same number"
	demo_stop
}

# --- a device that outlives its server ---

# fio_begin NAME ARG...: fio_run in the background, until fio_end SECONDS
fio_begin() {
	FIO_NAME=$1
	shift
	fio --name="$FIO_NAME" --filename="$DEV" --direct=1 \
		--ioengine=io_uring --fallocate=none --eta=never \
		--time_based --runtime=600 --output="fio.$FIO_NAME" "$@" \
		>/dev/null 2>"fio.$FIO_NAME.err" &
	FIO_PID=$!
}

# fio_end SECONDS: tells fio to end, which must have seen no error and nothing but
# what it wrote.
fio_end() {
	kill -INT "$FIO_PID"
	wait_for "$1" dead "$FIO_PID" || fail "fio hangs"
	wait "$FIO_PID"
	if [ -s "fio.$FIO_NAME.err" ] || ! grep -q 'err= 0' "fio.$FIO_NAME"; then
		tail -n20 "fio.$FIO_NAME" "fio.$FIO_NAME.err"
		fail "fio saw an error"
	fi
}

# fio_busy: waits until fio keeps the disk busy.
fio_busy() {
	# shellcheck disable=SC2317
	busy() {
		[ "$(stat_of .ops.WRITE.reqs)" -gt 100 ]
	}
	wait_for 30 busy || fail "fio does not get going"
}

# demo_kill: kill -9 to the daemon, which must be reaped
demo_kill() {
	kill -KILL "$DEMO_PID"
	wait_for 5 dead "$DEMO_PID" || fail "not reaped after 5 s"
	wait "$DEMO_PID"
}

# ask_in_turn WORD...: a connection on which each word is said and its answer
# read; then it is closed.  The last answer is printed.
ask_in_turn() {
	# shellcheck disable=SC2016  # perl's variables
	perl -MIO::Socket::UNIX -e '
		my $s = IO::Socket::UNIX->new(Peer => shift) or
			die "control socket: $!\n";
		my $a;
		for (@ARGV) { print $s "$_\n"; $s->flush; $a = <$s>; }
		print $a;' "$DEMO_SOCK" "$@"
}

# percentiles FILE: "p50 and max" of the numbers in it
percentiles() {
	sort -n "$1" | awk '{ v[NR] = $1 }
		END { print "p50", v[int((NR + 1) / 2)], "max", v[NR] }'
}

# recover_mode MODE OWNED NEW: what the server had when it was killed (OWNED)
# and what comes while there is none (NEW): "waits" or "fails", in e2e_hold's
# recovery MODE; then another server, and all is well again.
recover_mode() {
	local mode=$1 owned=$2 new=$3 a b status
	hold_start --recovery "$mode" --file /dev/shm/hold.$$
	# shellcheck disable=SC2317
	is_settled() {
		grep -q . "$HOLD_OUT" || dead "$HOLD_PID"
	}
	wait_for 30 is_settled || fail "e2e_hold: no device after 30 s"
	! grep -q 'FEATURES: Operation not supported' "$HOLD_LOG" || {
		rm -f /dev/shm/hold.$$
		skip "this kernel has no such recovery"
	}
	hold_live
	random_file ref 65536
	dd if=ref of="$DEV" bs=64k oflag=direct status=none || fail "write"
	kill -USR1 "$HOLD_PID"
	hold_said 5 '^holding'
	dd if=ref of="$DEV" bs=4k count=1 oflag=direct seek=100 2>dd.a &
	a=$!
	hold_said 5 '^held: WRITE'
	kill -KILL "$HOLD_PID"
	wait_for 2 dead "$HOLD_PID" || fail "not reaped after 2 s"
	wait "$HOLD_PID"
	T=$(seconds)
	sleep 1
	[ -e "/dev/ublkc$ID" ] || fail "who has deleted device $ID?"
	dd if=ref of="$DEV" bs=4k count=1 oflag=direct seek=200 2>dd.b &
	b=$!
	outcome "$owned" $a "the request that it had"
	outcome "$new" $b "the request that came then"
	hold_start --recovery "$mode" --file /dev/shm/hold.$$ --recover \
		--id "$ID"
	hold_live
	note "recovered $(since "$T") s after the kill"
	for status in "$owned:$a" "$new:$b"; do
		[ "${status%:*}" = waits ] || continue
		wait_for 30 dead "${status#*:}" || fail "a request hangs"
		wait "${status#*:}" || fail "a request that waited failed"
	done
	same ref || fail "the data"
	[ "$owned" = fails ] || cmp -n 4096 ref <(dd if="$DEV" bs=4k skip=100 \
		count=1 iflag=direct status=none) || fail "a write was lost"
	kill -TERM "$HOLD_PID"
	wait_for 20 dead "$HOLD_PID" || fail "e2e_hold does not end"
	wait "$HOLD_PID" || fail "e2e_hold: $(tail -n1 "$HOLD_LOG")"
	no_device "$ID" || fail "device $ID is still there"
	rm -f /dev/shm/hold.$$
}

# outcome waits|fails PID WHAT: within 3 s, or after recovery (requeue may need
# the kernel's time-out until it gives up what the server had)
outcome() {
	case $1 in
	waits)
		sleep 1
		! dead "$2" || fail "$3 did not wait" ;;
	fails)
		wait_for 45 dead "$2" || fail "$3 hangs"
		! wait "$2" || fail "$3 did not fail"
		note "$3 failed $(since "$T") s after the kill" ;;
	esac
}

# example_start NAME ARGUMENT...: examples/NAME, its device in DEV and ID
example_start() {
	EXAMPLE=$1
	shift
	built "examples/$EXAMPLE"
	: >"$EXAMPLE.out"
	"$PROG" "$@" >"$EXAMPLE.out" 2>"$EXAMPLE.err" &
	EXAMPLE_PID=$!
	wait_for 30 example_is_live || fail "no device after 30 s"
	DEV=$(head -n1 "$EXAMPLE.out")
	[ -b "$DEV" ] || fail "$EXAMPLE: $(tail -n1 "$EXAMPLE.err")"
	ID=${DEV#/dev/ublkb}
}

example_is_live() {
	grep -q . "$EXAMPLE.out" || dead "$EXAMPLE_PID"
}

example_stop() {
	kill -INT "$EXAMPLE_PID"
	wait_for 20 dead "$EXAMPLE_PID" || fail "there 20 s after SIGINT"
	wait "$EXAMPLE_PID" || fail "$EXAMPLE: $?: $(tail -n1 "$EXAMPLE.err")"
	no_device "$ID" || fail "$EXAMPLE is gone but device $ID is not"
}
