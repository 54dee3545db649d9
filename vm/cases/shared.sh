# shellcheck shell=bash disable=SC2034  # ID is for lib.sh
# Memory that clients share with the server: O_DIRECT in it is copied by nobody, data compared, with a broker and without (10 s)
has_feature SHMEM_ZC || skip "this kernel knows no shared memory"
built tests/e2e/e2e_shared

# shellcheck disable=SC2317
said() {
	grep -q "$1" shared.out || dead "$pid"
}

# serve WORD...: DEV, MEMORY and pid of one
serve() {
	: >shared.out
	"$PROG" serve "$@" >shared.out 2>shared.err &
	pid=$!
	wait_for 30 said /dev/ || fail "$*: no device after 30 s"
	read -r DEV MEMORY <shared.out
	[ -b "$DEV" ] || fail "$*: $(tail -n1 shared.err)"
	ID=${DEV#/dev/ublkb}
}

# ends WORD...: and its counts, in SHARED and ALL
ends() {
	kill -TERM "$pid"
	wait_for 20 dead "$pid" || fail "$*: it does not end"
	wait "$pid" || fail "$*: $(tail -n1 shared.err)"
	no_device "$ID" || fail "device $ID is still there"
	[ ! -s shared.err ] || fail "$*: it complains: $(cat shared.err)"
	read -r _ SHARED _ ALL <<<"$(tail -n1 shared.out)"
}

# Of 200 writes and 200 reads one half each is in the shared memory. A request of
# the client's own is one of the disk's, for none is larger than that takes.
for words in plain user "broker plain" broker; do
	# shellcheck disable=SC2086
	serve $words
	"$PROG" client "$DEV" "$MEMORY" >client.out || fail "$words: $(tail -n1 client.out)"
	# shellcheck disable=SC2086
	ends $words
	note "$words: $SHARED of $ALL in shared memory"
	[ "$SHARED" = 200 ] || fail "$words: $SHARED of 200 were seen there"
	[ "$ALL" -ge 400 ] || fail "$words: $ALL requests only"
done

# What is shared no more is copied, under load as well.
serve broker user
fio --name=load --filename="$DEV" --direct=1 --ioengine=io_uring --rw=randrw \
	--bs=4k --iodepth=8 --time_based --runtime=60 >fio.out 2>&1 &
load=$!
"$PROG" client "$DEV" "$MEMORY" >/dev/null 2>client.err ||
	grep -q 'Bad message' client.err || fail "client: $(cat client.err)"
kill -USR1 "$pid"
wait_for 20 said unshared || fail "it stays shared"
kill "$load"
wait "$load" || :
"$PROG" client "$DEV" "$MEMORY" >client.out || fail "unshared: wrong data"
ends broker user
note "unshared: $SHARED of $ALL in shared memory"
[ "$SHARED" -le 200 ] || fail "$SHARED requests in what is not shared any more"
[ "$ALL" -ge 800 ] || fail "$ALL requests only"
