# shellcheck shell=bash
# --threads-per-queue: one queue, four threads, all at work; verified through kills, upgrade, resize; stopped busy (15 s)
# timeout: 150

if ! has_feature PER_IO_DAEMON; then
	status=0
	timeout -k 1 30 "$UBLK_EVDEMO" --size 16M --threads-per-queue 2 \
		>refuse.out 2>refuse.err || status=$?
	note "$(cat refuse.err)"
	[ $status = 1 ] || fail "status $status"
	grep -q 'no PER_IO_DAEMON.*Linux 6.16' refuse.err ||
		fail "neither cause nor remedy"
	[ ! -s refuse.out ] || fail "$(cat refuse.out)"
	[ "$(echo /dev/ublkc[0-9]*)" = '/dev/ublkc[0-9]*' ] ||
		fail "a device is left"
	exit 0
fi

# ran: name, and ns on a CPU, of each of the daemon's threads
ran() {
	local t
	for t in "/proc/$DEMO_PID/task"/*; do
		grep -q '^ublkev-q' "$t/comm" || continue
		echo "$(cat "$t/comm") $(cut -d' ' -f1 "$t/schedstat")"
	done | sort
}

# ran_as NAME...: these are the threads, and each had 5 ms at least to serve
ran_as() {
	ran >ran.is
	note "$(tr '\n' ';' <ran.is)"
	[ "$(cut -d' ' -f1 ran.is | xargs)" = "$*" ] ||
		fail "the threads are $(xargs <ran.is)"
	awk '$2 < 5e6 { exit 1 }' ran.is || fail "one has not served"
}

four='ublkev-q0.0 ublkev-q0.1 ublkev-q0.2 ublkev-q0.3'
disk_keep shared
for copy in plain direct user; do
	demo_start --size 32M --queues 1 --depth 64 --threads-per-queue 4 \
		--copy $copy
	fio_run $copy --rw=randwrite --bssplit=4k/60:64k/40 --iodepth=32 \
		--size=8M --verify=crc32c --verify_fatal=1
	# shellcheck disable=SC2086  # names
	ran_as $four
	[ "$(stat_of '[.ops[].errors] | add')" = 0 ] || fail "errors"
	[ "$(demo_json stats | jq '[.info.features[] |
		select(. == "PER_IO_DAEMON")] | length')" = 1 ] ||
		fail "not with PER_IO_DAEMON"
	demo_stop
done

demo_start --size 32M --queues 1 --threads-per-queue 4 --recovery reissue \
	"${KEPT[@]}"
fio_begin verify --rw=randwrite --bssplit=4k/60:64k/40 --iodepth=32 \
	--size=24M --verify=crc32c --verify_backlog=256 --verify_fatal=1
# killed: another number of threads, and one
for n in 2 1 4; do
	fio_busy
	demo_kill
	demo_start --recover "$ID" --threads-per-queue $n "${KEPT[@]}"
done
fio_busy
old=$DEMO_PID
sock=$DEMO_SOCK
DEMO_PLAIN=1 demo_start --take-over "$sock"
DEMO_SOCK=$sock
wait_for 10 dead "$old" || fail "the old server does not end"
fio_busy
if has_feature UPDATE_SIZE; then
	[ "$(demo_json "resize 48M" | jq .dev_bytes)" = $((48 << 20)) ] ||
		fail "resize"
fi
# shellcheck disable=SC2086
ran_as $four
fio_end 60
demo_stop
disk_unkeep

demo_start --size 32M --queues 2 --threads-per-queue 3
fio --name=load --filename="$DEV" --direct=1 --ioengine=io_uring --rw=randrw \
	--bs=4k --iodepth=64 --time_based --runtime=60 --eta=never \
	>fio.load 2>&1 &
fio=$!
fio_busy
kill -TERM "$DEMO_PID"
wait_for 30 dead "$DEMO_PID" || fail "still there after 30 s"
wait_for 10 dead $fio || fail "fio hangs"
demo_ended 5
