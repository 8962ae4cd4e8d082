import re
text = open('words').read()
print(len(re.findall(r'\b\w+a\b', text)), re.sub(r'(\w)(\w*)', r'\2\1', text[:60]))
pattern = re.compile(r'(?P<first>\w+) (?P<second>\w+)(?=\n)', re.M)
print([m.groupdict() for m in pattern.finditer(text)][:5])
print(re.split(r'[,;]\s*', 'a, b;c'), re.fullmatch(r'(a+)+b', 'a' * 15 + 'c'))
