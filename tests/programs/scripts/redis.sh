# A server with its threads, clients, a benchmark, a Lua script, a snapshot by fork.
sock=$PWD/redis.sock
redis-server --port 0 --unixsocket "$sock" --save '' --dir "$PWD" --loglevel warning >log 2>&1 &
cli() { redis-cli -s "$sock" "$@"; }
for _ in $(seq 40); do
    cli ping >/dev/null 2>&1 && break
    sleep 0.25
done
cli ping
cli set k v
cli eval 'return redis.call("incr", "n") + 1' 0
redis-benchmark -s "$sock" -n 500 -c 5 -q -t set,get,lpush | tr '\r' '\n' | grep -c 'requests per second, '
cli save
test -s dump.rdb && echo saved
cli bgsave >/dev/null
cli shutdown nosave
wait $!
echo "ended $?"
