import mmap, os
with open('blob', 'r+b') as f:
    m = mmap.mmap(f.fileno(), 0)
    print(len(m), m.find(b'\x10\x11'), m[50000:50010])
    m[0:5] = b'HELLO'
    m.flush()
    m.resize(200000); m[199999] = 7
    m.close()
print(open('blob', 'rb').read(8), os.path.getsize('blob'))
a = mmap.mmap(-1, 1 << 20)
a.write(b'x' * (1 << 20)); a.madvise(mmap.MADV_DONTNEED)
print(a[:3], len(a))
r = mmap.mmap(-1, 4096, prot=mmap.PROT_READ)
try:
    r[0] = 1
except TypeError as error:
    print(error)
