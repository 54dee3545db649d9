# shellcheck shell=bash
# kill -9 under fio verify, 20 times, each time another server: nothing is lost (60 s)
# timeout: 480
disk_keep verify
demo_start --size 64M --queues 2 --recovery reissue "${KEPT[@]}"
fio_begin verify --rw=randwrite --bssplit=4k/60:16k/30:64k/10 --iodepth=32 \
	--size=32M --verify=crc32c --verify_backlog=512 --verify_fatal=1 \
	--thinktime=30000 --thinktime_blocks=128
: >gaps
for _ in $(seq "${ROUNDS:-20}"); do
	fio_busy
	demo_kill
	t=$(seconds)
	demo_start --recover "$ID" "${KEPT[@]}"
	since "$t" >>gaps
	echo >>gaps
done
note "${ROUNDS:-20} recoveries, seconds from the kill to the new server: $(percentiles gaps)"
fio_end 90
demo_stop
disk_unkeep
