# shellcheck shell=bash
# Load leaves no fd, mapping or memory behind in the daemon (15 s)
demo_start --size 32M
load() {
	fio_run "$1" --rw=randrw --bs=4k --iodepth=32 --size=16m --loops=2
	blkdiscard -f "$DEV"
}
load warm
fds=$(fd_count "$DEMO_PID") maps=$(map_count "$DEMO_PID")
rss=$(rss_kb "$DEMO_PID")
for i in 1 2 3; do
	load "again$i"
done
note "fds $fds -> $(fd_count "$DEMO_PID"), maps $maps -> $(map_count \
	"$DEMO_PID"), RSS $rss -> $(rss_kb "$DEMO_PID") kB"
[ "$(fd_count "$DEMO_PID")" -le "$fds" ] || fail "fds"
[ "$(map_count "$DEMO_PID")" -le $((maps + 2)) ] || fail "mappings"
[ "$(rss_kb "$DEMO_PID")" -le $((rss + 1024)) ] || fail "RSS"
demo_stop
