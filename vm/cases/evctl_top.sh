# shellcheck shell=bash
# evctl: top shows what fio does, from the server's socket and from the kernel (20 s)
# shellcheck source=vm/evctl_lib.sh
. "$1/evctl_lib.sh"
# the socket is the default one, and latencies are there without an option;
# numbers that no other case has just used and the driver not yet freed
DEMO_PLAIN=1 demo_start --size 64M --id 100
pid=$DEMO_PID sock=$DEMO_SOCK log=$DEMO_LOG
DEMO_PLAIN=1 demo_start --size 64M --control none --id 101
fio --name=global --direct=1 --ioengine=io_uring --rw=randrw --bs=4k --iodepth=16 \
	--time_based --runtime=60 --eta=never --name=a --filename=/dev/ublkb100 \
	--name=b --filename=/dev/ublkb101 >fio.out 2>&1 &
fio=$!
trap 'kill $fio' EXIT
# shellcheck disable=SC2317
busy() {
	awk '{ exit $1 < 50 }' /sys/block/ublkb101/stat &&
		awk '{ exit $1 < 50 }' /sys/block/ublkb100/stat
}
wait_for 30 busy || fail "fio does not get going: $(cat fio.out)"
# a machine with much else to do may leave a server unheard now and then
timeout 60 "$UBLK_EVCTL" --json top --interval 2 --count 5 >top.json ||
	fail "top"
[ "$(wc -l <top.json)" = 5 ] || fail "not five lines"
jq -es 'any(.[].devices[0]; .from == "server" and .read.iops > 1 and
	.write.mib_s > 0 and .read.latency_us.count > 0 and
	.read.disk_average_us > 0 and .capacity == 128)' \
	top.json >/dev/null || fail "$(cat top.json)"
jq -es 'any(.[].devices[1]; .from == "kernel" and .read.iops > 1 and
	.write.mib_s > 0 and .read.latency_us == null and
	.read.disk_average_us > 0 and .capacity == 128)' \
	top.json >/dev/null || fail "$(cat top.json)"
ctl 0 top --interval 1 --count 1
says '^100 .* (server|kernel)$'
says '^101 .* kernel$'
echo "$OUT"
# both under load, one stops answering: top still comes each time
kill -STOP "$pid"
timeout 30 "$UBLK_EVCTL" --json top --interval 1 --count 2 >top.json ||
	fail "top"
kill -CONT "$pid"
jq -e '.devices[0].from == "kernel"' top.json >/dev/null ||
	fail "$(cat top.json)"
kill $fio
wait $fio
trap - EXIT
demo_stop
DEMO_PID=$pid DEMO_SOCK=$sock DEMO_LOG=$log ID=100
demo_stop
