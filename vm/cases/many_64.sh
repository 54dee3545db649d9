# shellcheck shell=bash
# 64 devices at once in one loop: the time until all live, until all are gone (15 s)
# timeout: 150
[ -x "$BUILD/tests/e2e/e2e_many" ] || fail "tests/e2e/e2e_many was not built"
: >many.out
"$BUILD/tests/e2e/e2e_many" 64 >many.out &
pid=$!
# shellcheck disable=SC2317
all_live() {
	grep -q '^live after' many.out || dead "$pid"
}
wait_for 60 all_live || fail "not all live after 60 s"
note "64 devices $(grep '^live after' many.out)"
[ "$(grep -c '^/dev/ublkb' many.out)" = 64 ] || fail "not 64 devices"
note "$(fd_count $pid) fds, $(rss_kb $pid) KiB resident"
t=$(seconds)
kill -TERM $pid
wait_for 60 dead "$pid" || fail "still there 60 s after SIGTERM"
wait $pid || fail "e2e_many ended with $?"
note "64 devices gone $(since "$t") s after SIGTERM"
