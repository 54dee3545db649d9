# shellcheck shell=bash
# A server dies after any number of FETCHes: the broker deletes, the number serves (20 s)
# timeout: 150
ID=2
# Where the driver warns of these the device is deleted all the same.
counts="0 1 3 7 8"
! has_fault warns_of_half_fetched || counts="0 8"
# What was started before its server was dead, and can be recovered, is there
# for the next one.
forget() {
	wait_for 10 broker_done || fail "the broker is still there"
	[ ! -e /dev/ublkc$ID ] || [ "$recovery" = 0 ] || {
		note "$1, recovery $recovery: left to be recovered"
		timeout -k 1 30 "$UBLK_EVDEMO" --delete $ID || fail "--delete"
	}
	no_device $ID || fail "$1, recovery $recovery: not deleted"
	wait_for 10 no_broker || fail "the broker is still there"
}

# Or all that is left of it is the child that writes the scheduler: that waits,
# uninterruptibly, for the partition scan's reads, and these for a next server.
broker_done() {
	local pid
	for pid in $(pgrep -x ublkev-broker); do
		grep -qs '^State:[[:space:]]*D' "/proc/$pid/status" || return 1
	done
}

# Each has a number of its own, which nobody has to give back first.
for recovery in 0 2; do
	for n in $counts; do
		ID=$((ID + 1))
		hold_start --id $ID --depth 8 --die-after "$n" \
			--recovery $recovery
		wait_for 10 dead "$HOLD_PID" || fail "did not die"
		wait "$HOLD_PID"
		[ ! -s "$HOLD_OUT" ] || fail "was live"
		forget "$n FETCHes"
	done
	for at in ADD_DEV: SET_PARAMS: START_DEV$ START_DEV:; do
		ID=$((ID + 1))
		hold_start --id $ID --depth 8 --die-at "${at%$}" \
			--recovery $recovery
		wait_for 10 dead "$HOLD_PID" || fail "did not die"
		wait "$HOLD_PID"
		forget "$at"
	done
done
new_device
