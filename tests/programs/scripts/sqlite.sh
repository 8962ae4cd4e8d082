# Two processes write to one database.
sqlite3 a.db 'pragma journal_mode=wal; create table t(i integer primary key, p text);'
for w in A B; do
    {
        echo '.timeout 60000'
        for i in $(seq 40); do echo "insert into t(p) values('$w$i');"; done
    } | sqlite3 a.db &
done
wait
sqlite3 a.db 'select count(*), count(distinct p) from t; pragma integrity_check;'
