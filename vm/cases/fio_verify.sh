# shellcheck shell=bash
# fio finds what it wrote: queue depth 1, 32, 128, blocks of 512 B to 1 MiB (40 s)
# timeout: 240
demo_start --size 64M
# One run, one job after the other: fio takes long to start under emulation.
{
	echo "[global]"
	echo "filename=$DEV"
	echo "direct=1"
	echo "ioengine=io_uring"
	echo "verify=crc32c"
	echo "verify_fatal=1"
	echo "stonewall"
	job() {
		echo "[$1]"
		shift
		printf '%s\n' "$@"
	}
	job q1-512 rw=randwrite bs=512 iodepth=1 size=1m
	job q1-4k rw=randwrite bs=4k iodepth=1 size=4m
	job q32-512 rw=randwrite bs=512 iodepth=32 size=4m offset=8m
	job q32-64k rw=write bs=64k iodepth=32 size=16m
	job q128-4k rw=randwrite bs=4k iodepth=128 size=32m offset=32m
	job q128-1m rw=randwrite bs=1m iodepth=128 size=64m
	job mixed rw=randwrite iodepth=64 size=32m \
		bssplit=512/20:4k/40:12k/10:64k/20:300k/5:1m/5
	# Reads and writes at once; what is read was written by the last job.
	job both rw=randrw bs=8k iodepth=64 size=16m offset=16m
} >verify.fio
fio --output=fio.jobs --eta=never verify.fio >fio.err 2>&1 || {
	tail -n 20 fio.jobs fio.err
	fail "fio"
}
[ "$(stat_of '[.ops[].errors] | add')" = 0 ] || fail "errors were counted"
[ "$(stat_of .stale_answers)" = 0 ] || fail "stale answers"
demo_stop
