# shellcheck shell=bash
# --daemon returns when the disk is live; the pidfile says whom to signal (6 s)
out=$("$UBLK_EVDEMO" --daemon --pidfile "$PWD/pid" --size 16M 2>err) ||
	fail "status $?: $(cat err)"
[ -b "$out" ] || fail "'$out' is no block device"
pid=$(cat pid)
DEV=$out ID=${out#/dev/ublkb}
[ "$(ps -o ppid= -p "$pid" | tr -d ' ')" = 1 ] || fail "not in the background"
random_file ref $((1 << 20))
dd if=ref of="$DEV" bs=64k oflag=direct status=none || fail "write"
same ref || fail "does not serve"
demo_refuses 1 --pidfile "$PWD/pid" --size 16M
[ "$(cat pid)" = "$pid" ] || fail "a second one took the pidfile"
kill -TERM "$pid"
wait_for 10 dead "$pid" || fail "does not end"
wait_for 5 no_device "$ID" || fail "device $ID is left"
[ ! -e pid ] || fail "the pidfile is left"
note "what cannot start says so before it goes to the background"
demo_refuses 1 --daemon --pidfile /nonexistent/pid --size 16M
