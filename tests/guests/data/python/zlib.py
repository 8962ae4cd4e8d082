import zlib, bz2, lzma, gzip
data = open('blob', 'rb').read()
for level in (1, 6, 9):
    packed = zlib.compress(data, level)
    assert zlib.decompress(packed) == data
print(zlib.adler32(data), zlib.crc32(data))
assert bz2.decompress(bz2.compress(data)) == data
assert lzma.decompress(lzma.compress(data, preset=1)) == data
with gzip.GzipFile('out.gz', 'wb', mtime=0) as f:
    f.write(data)
print(gzip.open('out.gz').read() == data)
try:
    zlib.decompress(b'nonsense')
except zlib.error as error:
    print(error)
