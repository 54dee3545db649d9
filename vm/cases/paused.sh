# shellcheck shell=bash
# servers that are stopped for longer than each deadline, at every step: nothing is lost (90 s)
# timeout: 400
N=4
# pause: all servers, for longer than conf.cmd_timeout_ms and grace_ms
pause() {
	kill -STOP "${pid[@]}"
	sleep 13
	kill -CONT "${pid[@]}"
}

# begin I ARG...: server I, which is stopped at some step of its start
begin() {
	local i=$1
	shift
	: >"$i.out"
	"$UBLK_EVDEMO" --control "$PWD/$i.sock" "$@" >"$i.out" 2>>"$i.log" &
	pid[i]=$!
	sleep "0.0$((2 * i))"
	kill -STOP "${pid[i]}"
}

# shellcheck disable=SC2317
all_live() {
	local i
	for ((i = 0; i < N; i++)); do
		grep -q ublkb "$i.out" || return 1
	done
}

all_same() {
	local i
	for ((i = 0; i < N; i++)); do
		# shellcheck disable=SC2034  # same() reads it
		DEV=$(cat "$i.out")
		same "$i.ref" || fail "$1: the data of server $i"
	done
}

for ((i = 0; i < N; i++)); do
	begin $i --size 32M --recovery reissue --file "$PWD/$i.img"
done
pause
wait_for 30 all_live || fail "start: $(cat ./*.log)"
for ((i = 0; i < N; i++)); do
	random_file $i.ref $((1 << 20)) "s$i"
	dd if=$i.ref of="$(cat $i.out)" bs=64k oflag=direct status=none ||
		fail "write"
done
if has_feature UPDATE_SIZE; then
	asks=()
	for ((i = 0; i < N; i++)); do
		# shellcheck disable=SC2034  # demo_json does
		DEMO_SOCK=$PWD/$i.sock
		demo_json "resize 48M" >$i.resized &
		asks+=($!)
	done
	pause
	wait "${asks[@]}"
	[ "$(cat ./*.resized | grep -c '"resized":true')" = $N ] ||
		fail "resize: $(cat ./*.resized)"
fi
all_same "resize"
for ((i = 0; i < N; i++)); do
	kill -KILL "${pid[i]}"
	wait "${pid[i]}" 2>/dev/null
	begin $i --recover "$(sed 's/.*ublkb//' $i.out)"
done
pause
wait_for 60 all_live || fail "recovery: $(cat ./*.log)"
all_same "recovery"
# with a cache to write back
for ((i = 0; i < N; i++)); do
	dd if=$i.ref of="$(cat $i.out)" bs=64k seek=32 status=none
done
kill -TERM "${pid[@]}"
pause
for ((i = 0; i < N; i++)); do
	wait_for 30 dead "${pid[i]}" || fail "$i does not end"
	wait "${pid[i]}" || fail "stop: status $?: $(tail -n1 $i.log)"
	cmp -n $((1 << 20)) -i 0:$((2 << 20)) $i.ref $i.img ||
		fail "the cache of server $i was lost"
done
