# shellcheck shell=bash
# --no-broker, kill -9 under load: the device stays until --delete (15 s)
demo_start --size 64M --no-broker
no_broker || fail "there is a broker"
kill_under_load 2
sleep 1
[ -e "/dev/ublkc$ID" ] || fail "who has deleted device $ID?"
timeout -k 1 30 "$UBLK_EVDEMO" --no-broker --delete "$ID" >del.out 2>&1 || {
	cat del.out
	fail "--delete $ID"
}
wait_for 5 no_device "$ID" || fail "device $ID is still there"
new_device
