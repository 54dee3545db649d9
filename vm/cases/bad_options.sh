# shellcheck shell=bash
# A wrong command line: status 2 and one line that names the option (12 s)
long=$(printf 'x%.0s' $(seq 200))
while read -r line; do
	eval "set -- $line"
	demo_refuses 2 "$@"
	case $REFUSAL in
	*"${1%%=*}"*|*unknown*|*argument*) ;;
	*) fail "does not name the option: $REFUSAL" ;;
	esac
done <<END
--size 0
--size -1
--size ''
--size 12x
--size 1000
--size 9E
--size 99999999999999999999
--size
--backend floppy
--block-size 100
--block-size 8192
--block-size 1536
--queues 0
--queues 99999
--queues x
--depth 0
--depth 4097
--max-io 1
--max-io 5000
--max-io 33M
--id -2
--id 1048576
--stats 0
--stop-timeout soon
--control ''
--control /tmp/$long
--pidfile ''
--read-only=yes
--delete x
--no-such-option
-x
stray
END
note "and what is asked for is given"
"$UBLK_EVDEMO" --help >out 2>err || fail "--help"
[ -s out ] || fail "--help says nothing"
[ ! -s err ] || fail "--help goes to stderr"
"$UBLK_EVDEMO" --version >out 2>err || fail "--version"
grep -q '[0-9]\.[0-9]' out || fail "--version"
