local Account = {}
Account.__index = Account
function Account.new(balance) return setmetatable({ balance = balance }, Account) end
function Account:deposit(v) self.balance = self.balance + v return self end
print(Account.new(10):deposit(5).balance)

local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end
print('fib', fib(18))

local count, order = {}, {}
for line in io.lines('words') do
  for word in line:gmatch('%a+') do
    if not count[word] then order[#order + 1] = word end
    count[word] = (count[word] or 0) + 1
  end
end
table.sort(order, function(a, b) return count[a] > count[b] or count[a] == count[b] and a < b end)
for i = 1, 5 do print(order[i], count[order[i]]) end

local producer = coroutine.wrap(function() for i = 1, 4 do coroutine.yield(i * i) end end)
print(producer(), producer(), producer(), producer())
print(string.format('%5.3f|%x|%q|%-6s|%g', math.pi, 255, 'a\nb', 'ab', 1e100))
print(7 // 2, -7 // 2, 7 % -3, 2 ^ 0.5, 1 << 62, 0xff ~ 0x0f, math.maxinteger, math.tointeger(3.0))
print(pcall(error, { code = 1 }) , select('#', table.unpack({ 1, nil, 3 }, 1, 3)))
print(('hello world'):gsub('o', '0'), ('x'):rep(3, '-'), utf8.char(228, 8364))
local packed = string.pack('>I4 s2 d', 0xdeadbeef, 'text', 1.5)
print(#packed, string.unpack('>I4 s2 d', packed))
local sum = 0
for i = 1, 200000 do sum = sum + i % 7 end
print(sum, os.time({ year = 2000, month = 1, day = 1, hour = 12 }), os.getenv('LC_ALL'))
collectgarbage()
local out = assert(io.open('out.txt', 'w'))
out:write('written\n', 42, '\n')
out:close()
os.exit(6)
