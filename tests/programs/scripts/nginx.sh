# nginx with two workers serves on the port that is its argument until the folder has a file `stop`.
mkdir -p html logs
chmod 755 . html
seq 60000 >html/f
cat >c.conf <<CONF
worker_processes 2; pid $PWD/pid; error_log $PWD/err.log; user root;
events { worker_connections 64; }
http { access_log off; sendfile on; gzip on;
    client_body_temp_path $PWD/b; proxy_temp_path $PWD/p; fastcgi_temp_path $PWD/f; uwsgi_temp_path $PWD/u; scgi_temp_path $PWD/s;
    server { listen 127.0.0.1:$1; root $PWD/html; } }
CONF
nginx -e err.log -t -q -c "$PWD/c.conf"
echo "valid $?"
nginx -e err.log -c "$PWD/c.conf"
echo "started $?"
touch started
for _ in $(seq 300); do
    [ -e stop ] && break
    sleep 0.2
done
nginx -e err.log -s stop -c "$PWD/c.conf"
for _ in $(seq 50); do
    [ -e pid ] || break
    sleep 0.2
done
[ -e pid ] || echo stopped
