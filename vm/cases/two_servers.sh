# shellcheck shell=bash
# Two daemons side by side; the end of one does not disturb the other (8 s)
demo_start --size 32M
pid1=$DEMO_PID dev1=$DEV id1=$ID log1=$DEMO_LOG
demo_start --size 32M
pid2=$DEMO_PID dev2=$DEV id2=$ID log2=$DEMO_LOG
[ "$dev1" != "$dev2" ] || fail "both are $dev1"
fio --name=a --filename="$dev1" --direct=1 --ioengine=io_uring --rw=randwrite \
	--bs=4k --iodepth=32 --size=16m --verify=crc32c --verify_fatal=1 \
	--eta=never >fio.a 2>&1 &
fio=$!
DEMO_PID=$pid2 ID=$id2 DEMO_LOG=$log2
demo_stop
wait $fio || fail "the other one's end disturbed: $(tail -n3 fio.a)"
DEMO_PID=$pid1 ID=$id1 DEMO_LOG=$log1
demo_stop
