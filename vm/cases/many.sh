# shellcheck shell=bash
# 16 devices in one loop, all used at once, their data kept apart (20 s)
# timeout: 240
[ -x "$BUILD/tests/e2e/e2e_many" ] || fail "tests/e2e/e2e_many was not built"
: > many.out
"$BUILD/tests/e2e/e2e_many" 16 > many.out &
pid=$!
# shellcheck disable=SC2317
all_live() {
	grep -q '^live after' many.out || dead "$pid"
}
wait_for 60 all_live || fail "not all live after 60 s"
note "16 devices $(grep '^live after' many.out)"
mapfile -t devs < <(grep '^/dev/ublkb' many.out)
[ ${#devs[@]} = 16 ] || fail "${#devs[@]} devices, not 16"

jobs=()
for d in "${devs[@]}"; do
	jobs+=("--name=${d##*/}" "--filename=$d" --size=4M)
done
fio --name=global --direct=1 --ioengine=io_uring --rw=randwrite --bs=4k \
	--iodepth=8 --verify=crc32c --do_verify=1 --eta=never --output=fio.many \
	"${jobs[@]}" >fio.err 2>&1 || {
	tail -n 20 fio.many fio.err
	fail "fio verify on 16 devices"
}
# a file of its own for each, read back after all were written
for d in "${devs[@]}"; do
	random_file "ref.${d##*/}" 262144 "$d"
	dd if="ref.${d##*/}" of="$d" bs=64k oflag=direct status=none &
done
for job in $(jobs -p); do
	[ "$job" = "$pid" ] || wait "$job" || fail "dd"
done
for d in "${devs[@]}"; do
	blockdev --flushbufs "$d"
	cmp -n 262144 "ref.${d##*/}" "$d" || fail "$d holds another's data"
done
t=$(seconds)
kill -TERM $pid
wait_for 20 dead "$pid" || fail "still there 20 s after SIGTERM"
wait $pid || fail "e2e_many ended with $?"
note "16 devices gone $(since "$t") s after SIGTERM"
