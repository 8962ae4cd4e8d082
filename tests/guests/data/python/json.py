import json
data = {'list': list(range(100)), 'text': 'Größe → 😀', 'nested': {'a': [None, True, 1.5e300]}}
text = json.dumps(data, sort_keys=True, indent=1)
assert json.loads(text) == data
print(len(text), text[:200])
try:
    json.loads('{"a": ]')
except ValueError as error:
    print(error)
