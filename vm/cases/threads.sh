# shellcheck shell=bash
# --threads: a thread for each queue on the queue's CPUs, all of them verified; stopped and killed under load (40 s)

# queue_threads: names and CPUs of the daemon's threads, and where the kernel
# wants each queue
queue_threads() {
	local t
	for t in "/proc/$DEMO_PID/task"/*; do
		grep -q '^ublkev-q' "$t/comm" || continue
		echo "$(sed 's/ublkev-q//' "$t/comm")" \
			"$(awk '/^Cpus_allowed_list:/ { print $2 }' "$t/status")"
	done | sort -n
}

queue_cpus() {
	local q
	for q in "/sys/block/${DEV#/dev/}/mq"/*; do
		# the threads' lists have ranges, these none
		echo "${q##*/} $(tr -d ' ' <"$q/cpu_list")"
	done | sort -n
}

demo_start --size 64M --queues 4 --depth 64 --threads
want=$(nproc)
[ "$want" -le 4 ] || want=4
queue_threads >threads.is
queue_cpus >threads.want
note "$(tr '\n' ';' <threads.is)"
# Of the four asked for, as many as the driver took.
[ "$(wc -l <threads.is)" = "$want" ] || fail "$(wc -l <threads.is) threads"
# On more than four CPUs a queue has several, which are written in two ways.
[ "$(nproc)" -gt 4 ] || cmp threads.is threads.want ||
	fail "not on the CPUs of: $(tr '\n' ';' <threads.want)"
for rw in randwrite randrw; do
	fio_run $rw --rw=$rw --bssplit=4k/60:512/20:128k/20 --iodepth=32 \
		--numjobs="$want" --cpus_allowed=0-$((want - 1)) \
		--cpus_allowed_policy=split --size=8m \
		--offset_increment=8m --verify=crc32c --verify_fatal=1 \
		--group_reporting
done
[ "$(stat_of '[.ops[].errors] | add')" = 0 ] || fail "errors were counted"
written=$(stat_of .ops.WRITE.reqs)
[ "$written" -gt $((want * 100)) ] || fail "only $written writes were counted"
# who has nothing to do does not count as one that waits for a disk
unblocked() {
	grep -qx 'procs_blocked 0' /proc/stat
}
wait_for 30 unblocked || fail "idle threads count in procs_blocked"
demo_stop

load() {
	demo_start --size 64M --queues 4 --threads "$@"
	fio --name=load --filename="$DEV" --direct=1 --ioengine=io_uring \
		--rw=randrw --bs=4k --iodepth=32 --numjobs="$want" \
		--cpus_allowed=0-$((want - 1)) --cpus_allowed_policy=split \
		--time_based --runtime=60 --eta=never >fio.load 2>&1 &
	fio=$!
	# shellcheck disable=SC2317
	busy() {
		[ "$(stat_of .ops.WRITE.reqs)" -gt 1000 ]
	}
	wait_for 30 busy || fail "fio does not get going"
}

for copy in plain direct user; do
	load --copy $copy
	t=$(seconds)
	kill -TERM "$DEMO_PID"
	wait_for 30 dead "$DEMO_PID" || fail "$copy: still there after 30 s"
	note "$copy: gone $(since "$t") s after SIGTERM"
	wait_for 10 dead $fio || fail "$copy: fio hangs"
	demo_ended 5
done

load
kill -KILL "$DEMO_PID"
wait_for 2 dead "$DEMO_PID" || fail "not reaped after 2 s"
wait "$DEMO_PID"
# A server that had every request fails them at the block layer's time-out.
wait_for 45 dead $fio || fail "fio hangs after kill -9"
! wait $fio || fail "fio saw no error"
wait_for 10 no_device "$ID" || fail "device $ID is not deleted"
new_device
