import unicodedata, codecs, locale, ast, dis, types, inspect
print(unicodedata.name('€'), unicodedata.normalize('NFD', 'é').encode(), 'straße'.upper(), 'İ'.lower().encode())
print(codecs.encode('hello', 'rot13'), 'Привет'.encode('koi8-r'), b'\xff\xfeh\0i\0'.decode('utf-16'))
tree = ast.parse('x = [i * 2 for i in range(10) if i % 3]'); print(ast.dump(tree)[:100], ast.unparse(tree))
exec(compile(tree, 'x', 'exec')); print(x)
def generator():
    received = None
    while True:
        received = yield (received or 0) + 1
g = generator(); next(g); print(g.send(10), g.send(20), inspect.getgeneratorstate(g))
