# shellcheck shell=bash
# evctl: top shows what fio does, from the server's socket and from the kernel (20 s)
# shellcheck source=vm/evctl_lib.sh
. "$1/evctl_lib.sh"
mkdir -p /run/ublk-ev
demo_start --size 64M --control /run/ublk-ev/ublkb0.sock --id 0
pid=$DEMO_PID sock=$DEMO_SOCK log=$DEMO_LOG
DEMO_PLAIN=1 demo_start --size 64M --control none --id 1
fio --direct=1 --ioengine=io_uring --rw=randrw --bs=4k --iodepth=16 \
	--time_based --runtime=60 --eta=never --name=a --filename=/dev/ublkb0 \
	--name=b --filename=/dev/ublkb1 >fio.out 2>&1 &
fio=$!
trap 'kill $fio' EXIT
sleep 2
timeout 30 "$UBLK_EVCTL" --json top --interval 1 --count 3 >top.json ||
	fail "top"
[ "$(wc -l <top.json)" = 3 ] || fail "not three lines"
jq -e '.devices[0] | .from == "server" and .read.iops > 10 and
	.write.mib_s > 0 and .read.latency_us.p99 > 0 and .capacity == 128' \
	top.json >/dev/null || fail "$(cat top.json)"
jq -e '.devices[1] | .from == "kernel" and .read.iops > 10 and
	.write.mib_s > 0 and .read.latency_us == null and .capacity == 128' \
	top.json >/dev/null || fail "$(cat top.json)"
ctl 0 top --interval 1 --count 1
says '^0 .* server$'
says '^1 .* kernel$'
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
DEMO_PID=$pid DEMO_SOCK=$sock DEMO_LOG=$log ID=0
demo_stop
