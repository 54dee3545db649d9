# shellcheck shell=bash
# --delete from outside under load: the server loses its device and ends, fio gets errors (10 s)
demo_start --size 64M
fio_begin load --rw=randrw --bs=4k --iodepth=64
fio_busy
t=$(seconds)
timeout -k 1 30 "$UBLK_EVDEMO" --delete "$ID" >del.out 2>&1 || {
	cat del.out
	# It is stopped, and goes with fio, the last who holds it open.
	grep -q 'DEL' del.out || fail "--delete"
}
note "--delete took $(since "$t") s"
wait_for 45 dead "$FIO_PID" || fail "fio hangs"
! wait "$FIO_PID" || fail "fio saw no error"
wait_for 20 dead "$DEMO_PID" || fail "the server of a deleted device stays"
! wait "$DEMO_PID" || fail "the server does not say that it lost it"
cat "$DEMO_LOG"
wait_for 10 no_device "$ID" || fail "device $ID is still there"
new_device
