import sqlite3
db = sqlite3.connect('test.db')
db.execute('create table t (id integer primary key, name text, value real)')
with db:
    db.executemany('insert into t (name, value) values (?, ?)', ((f'n{i % 17}', i / 7) for i in range(2000)))
print(db.execute('select name, count(*), round(sum(value), 3) from t group by name order by 2, 1').fetchall())
print(db.execute("select max(id) from t where name like 'n1_'").fetchone())
db.create_function('twice', 1, lambda x: 2 * x)
print(db.execute('select twice(21)').fetchone())
db.close()
db = sqlite3.connect('test.db')
print(db.execute('pragma integrity_check').fetchone(), db.execute('select count(*) from t').fetchone())
