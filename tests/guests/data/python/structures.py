import heapq, bisect, collections, itertools, functools, struct, array, string, random, textwrap, csv, io
random.seed(1); values = [random.randrange(10**6) for _ in range(5000)]
heap = values[:]; heapq.heapify(heap)
assert [heapq.heappop(heap) for _ in range(5000)] == sorted(values)
print(collections.Counter(v % 10 for v in values).most_common(3), random.random(), random.gauss(0, 1))
print(struct.pack('>IhQd', 1, -2, 3, 1.5).hex(), struct.unpack('<f', b'\0\0\x80?'), array.array('d', [1, 2]).tobytes() == struct.pack('=2d', 1, 2))
@functools.lru_cache(None)
def partitions(n, k):
    return 1 if n == 0 else 0 if n < 0 or k == 0 else partitions(n, k - 1) + partitions(n - k, k)
print(partitions(100, 100), len(list(itertools.permutations(range(7)))))
out = io.StringIO(); csv.writer(out).writerows([['a', 'b,c'], [1, 'd"e']]); print(out.getvalue())
print(textwrap.fill(open('words').read()[:300], 40))
try:
    def deep(n): return deep(n + 1)
    deep(0)
except RecursionError as error:
    print(error)
