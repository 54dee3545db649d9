# shellcheck shell=bash
# kill -9 under load: clients get errors, the broker deletes, the number serves again (5 s)
demo_start --size 64M
kill_under_load 2
wait_for 10 no_device "$ID" || fail "device $ID is not deleted"
note "device gone after $(since "$T") s"
wait_for 10 no_broker || fail "the broker is still there"
new_device
