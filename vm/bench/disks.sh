# shellcheck shell=bash disable=SC2034  # disk_server is for who sources it
# SPDX-License-Identifier: BSD-2-Clause
# vm/bench/disks.sh: the disks that are measured; sourced in the guest, behind
# vm/lib.sh.  disk_make NAME QUEUES makes one; disk_dev[NAME/QUEUES] is then
# its device, disk_server[NAME/QUEUES] how it was made, for the record, and
# disk_scheduler[NAME/QUEUES] the scheduler with which it came up.

disk_mib=64
declare -A disk_dev disk_server disk_scheduler

# scheduler DEVICE: the one that it has; a disk without a queue has none
scheduler() {
	sed -n 's/.*\[\(.*\)\].*/\1/p' "/sys/block/${1#/dev/}/queue/scheduler" |
		grep . || echo none
}

# made NAME/QUEUES DEVICE SERVER
made() {
	disk_dev[$1]=$2
	disk_server[$1]=$3
	disk_scheduler[$1]=$(scheduler "$2")
}

# prog NAME: a program of tests/e2e, and not libtool's script around it
prog() {
	local dir=$BUILD/tests/e2e
	[ ! -x "$dir/.libs/$1" ] || dir=$dir/.libs
	[ -x "$dir/$1" ] || fail "tests/e2e/$1 was not built: make check VM=no"
	echo "$dir/$1"
}

make_null() {
	make_ours "$@"
}

make_mem() {
	make_ours "$@"
}

# NAME is "null" or "mem" and options of the daemon, each behind a comma; with
# "batch" in front of these it is a process that preempts nobody when it wakes
make_ours() {
	local args class=
	IFS=, read -r -a args <<<"$1"
	[ "${args[1]-}" != batch ] || {
		class='chrt --batch 0 '
		unset 'args[1]'
	}
	set -- "$1/$2" --backend "${args[0]}" --size ${disk_mib}M \
		--queues "$2" --depth 128 "${args[@]:1}"
	DEMO_PLAIN=1 demo_start "${@:2}"
	[ -z "$class" ] || chrt --all-tasks --batch --pid 0 "$DEMO_PID"
	made "$1" "$DEV" "${class}ublk-evdemo ${*:2}"
}

# "busy" is null in a loop that has a 1 ms timer and a socket to serve too. It
# exists while it is measured, since these would slow down all others.
# "busy,ring-fd" watches the ring's file.
make_busy() {
	local ring_fd=${1#busy}
	ring_fd=${ring_fd#,}
	: >busy.out
	"$(prog e2e_latency)" 3600 null ${ring_fd:+"$ring_fd"} >busy.out 2>&1 &
	BUSY_PID=$!
	# shellcheck disable=SC2317
	busy_live() {
		grep -q '^/dev/ublkb' busy.out || dead "$BUSY_PID"
	}
	wait_for 30 busy_live || fail "e2e_latency: no device"
	made "$1/$2" "$(grep -m1 '^/dev/ublkb' busy.out)" \
		"e2e_latency 3600 null${ring_fd:+ $ring_fd}"
}

is_busy() {
	[ "${1%%,*}" = busy ]
}

busy_end() {
	kill -TERM "$BUSY_PID"
	wait "$BUSY_PID" || fail "e2e_latency: $(tail -n1 busy.out)"
}

make_loop() {
	local file=/dev/shm/loop
	[ -e $file ] || {
		modprobe loop
		truncate -s ${disk_mib}M $file
		LOOP_DEV=$(losetup --show -f $file) || fail "losetup"
	}
	made "loop/$2" "$LOOP_DEV" "losetup -f FILE-ON-TMPFS"
}

# Memory disks of the kernel's: each of those that need one takes the next.
# The first is "brd" itself.
BRD_NEXT=1
brd_load() {
	[ -e /dev/ram0 ] || modprobe brd rd_nr=16 rd_size=$((1 << 20))
}

# brd_take: sets BRD to the next one, which has the same contents as all
brd_take() {
	brd_load
	BRD=/dev/ram$BRD_NEXT
	BRD_NEXT=$((BRD_NEXT + 1))
	fill "$BRD"
}

make_brd() {
	brd_load
	made "brd/$2" /dev/ram0 "modprobe brd rd_nr=16 rd_size=$((1 << 20))"
}

# new_file: sets FILE to a file of the disks' size on ext4 on brd, written
new_file() {
	local fs=$PWD/ext4
	if ! mountpoint -q "$fs"; then
		brd_load
		modprobe ext4
		mkdir "$fs"
		mkfs.ext4 -q -E lazy_itable_init=0,lazy_journal_init=0 "/dev/ram$BRD_NEXT" || fail "mkfs.ext4"
		mount "/dev/ram$BRD_NEXT" "$fs" || fail "mount"
		BRD_NEXT=$((BRD_NEXT + 1))
		FILES=0
	fi
	FILES=$((FILES + 1))
	FILE=$fs/$FILES
	fallocate -l ${disk_mib}M "$FILE" || fail "fallocate"
	fill "$FILE"
}

# A disk in a file on ext4 on brd, and one on brd itself: "file" and "blk", each
# with options of the daemon behind commas; the kernel's own is "loopfile" and
# "loopblk".
make_file() {
	local args
	IFS=, read -r -a args <<<"$1"
	new_file
	DEMO_PLAIN=1 demo_start --file "$FILE" --queues "$2" --depth 128 \
		"${args[@]:1}"
	made "$1/$2" "$DEV" "ublk-evdemo --file FILE-ON-EXT4-ON-BRD \
--queues $2 --depth 128 ${args[*]:1}"
}

make_blk() {
	local args
	IFS=, read -r -a args <<<"$1"
	brd_take
	DEMO_PLAIN=1 demo_start --file "$BRD" --size ${disk_mib}M \
		--queues "$2" --depth 128 "${args[@]:1}"
	made "$1/$2" "$DEV" "ublk-evdemo --file BRD --size ${disk_mib}M \
--queues $2 --depth 128 ${args[*]:1}"
}

# make_loop_direct NAME/QUEUES FILE WHAT
make_loop_direct() {
	local dev
	[ -e /sys/module/loop ] || modprobe loop
	dev=$(losetup --show --direct-io=on -f "$2") || fail "losetup"
	[ "$(losetup -nO DIO "$dev" | tr -d ' ')" = 1 ] ||
		fail "$dev does no direct I/O"
	made "$1" "$dev" "losetup --direct-io=on -f $3"
}

make_loopfile() {
	new_file
	make_loop_direct "loopfile/$2" "$FILE" FILE-ON-EXT4-ON-BRD
}

make_loopblk() {
	brd_take
	make_loop_direct "loopblk/$2" "$BRD" BRD
}

make_null_blk() {
	local dir=/sys/kernel/config/nullb/bench$2
	[ -d /sys/kernel/config/nullb ] || {
		modprobe null_blk nr_devices=0
		mountpoint -q /sys/kernel/config ||
			mount -t configfs none /sys/kernel/config
	}
	mkdir "$dir"
	echo $disk_mib >"$dir/size"
	echo "$2" >"$dir/submit_queues"
	echo 128 >"$dir/hw_queue_depth"
	echo 1 >"$dir/power"
	made "null_blk/$2" "/dev/bench$2" \
		"null_blk size=$disk_mib submit_queues=$2 hw_queue_depth=128"
}

make_nbd() {
	local sock=$PWD/nbd.$2.sock n=$2
	local tool
	for tool in nbdkit nbd-client; do
		[ -n "$(command -v $tool)" ] ||
			fail "no $tool: run ./bootstrap on the host"
	done
	[ -e /sys/module/nbd ] || modprobe nbd
	nbdkit -f -U "$sock" memory size=${disk_mib}M &
	wait_for 10 test -S "$sock" || fail "nbdkit: no socket"
	nbd-client -unix "$sock" "/dev/nbd$n" -C "$2" -b 512 >nbd.log 2>&1 ||
		fail "nbd-client: $(tail -n1 nbd.log)"
	made "nbd/$2" "/dev/nbd$n" "nbdkit -U SOCK memory size=${disk_mib}M; \
nbd-client -unix SOCK /dev/nbd$n -C $2 -b 512"
}

# make_peer NAME QUEUES: a server of somebody else's, by the command line in
# peer_NAME, which may say \$QUEUES. Its disk is the one that appears.
make_peer() {
	local command="peer_$1" before
	before=$(ls /sys/block)
	QUEUES=$2 bash -c "exec ${!command}" >"peer_$1.out" 2>&1 &
	PEER_PIDS="${PEER_PIDS-} $!"
	# shellcheck disable=SC2317
	new_disk() {
		PEER_DEV=$(comm -13 <(sort <<<"$before") <(ls /sys/block | sort) |
			head -n1)
		[ -n "$PEER_DEV" ] && [ -b "/dev/$PEER_DEV" ]
	}
	wait_for 30 new_disk ||
		fail "$1: no disk appeared: $(tail -n1 "peer_$1.out")"
	made "$1/$2" "/dev/$PEER_DEV" "${!command}"
}

# What its contents are matters to a disk that keeps them: memory, not holes.
fill() {
	local i
	[ -e block ] || head -c 1M /dev/urandom >block
	for ((i = 0; i < disk_mib; i++)); do
		echo block
	done | xargs cat | dd of="$1" bs=1M iflag=fullblock oflag=direct \
		conv=notrunc status=none
}

disk_make() {
	local peer="peer_${1%%,*}"
	if [ -n "${!peer-}" ]; then
		make_peer "$1" "$2"
		return
	fi
	"make_${1%%,*}" "$1" "$2"
	case ${1%%,*} in
	mem|loop|brd|nbd) fill "${disk_dev[$1/$2]}" ;;
	esac
}

# The daemons end as they should even after all that; how a peer ends is its
# own affair.
disks_end() {
	local d pid
	for d in "${!disk_dev[@]}"; do
		case $d in nbd/*) nbd-client -d "${disk_dev[$d]}" >>nbd.log ;; esac
	done
	for pid in $(jobs -p); do
		# one that made a daemon of itself has gone already
		kill -TERM "$pid" 2>/dev/null || continue
		wait "$pid" || [[ " ${PEER_PIDS-} " = *" $pid "* ]] ||
			fail "a server ended with $?"
	done
}

# --- loads: each of them is a job of fio ---

declare -A loads=(
	[randread]="--rw=randread --bs=4k"
	[randwrite]="--rw=randwrite --bs=4k"
	[mixed]="--rw=randrw --rwmixread=70 --bs=4k"
	[seqread]="--rw=read --bs=128k"
	[seqwrite]="--rw=write --bs=128k"
	[bigread]="--rw=read --bs=1m"
	[bigwrite]="--rw=write --bs=1m"
)

# load DEVICE LOAD QD JOBS TIME [SCHEDULER]: runs it, with that one if the
# device can have it, else none; the result is in cell.json and the command in
# FIO_COMMAND. FIO_WRAP is a command that runs it, and its arguments.
load() {
	local file=/sys/block/${1#/dev/}/queue/scheduler
	if grep -qsw "${6:-none}" "$file"; then echo "${6:-none}" >"$file"; fi
	FIO_COMMAND="fio --name=cell --filename=$1 --direct=1 \
--ioengine=io_uring ${loads[$2]} --iodepth=$3 --numjobs=$4 \
--group_reporting --size=${disk_mib}M --norandommap --randrepeat=1 \
--time_based --runtime=$5 --ramp_time=100ms --eta=never \
--output-format=json --output=cell.json"
	# shellcheck disable=SC2086  # a command and its arguments
	${FIO_WRAP-} $FIO_COMMAND >fio.err 2>&1 || fail "$FIO_COMMAND: $(tail -n2 fio.err)"
}
