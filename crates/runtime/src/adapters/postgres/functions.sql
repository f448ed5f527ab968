-- Exact arithmetic as the evaluation of expressions has it. Numbers are storage units; NaN is the
-- mark of a fault and passes on, before null does.

CREATE OR REPLACE FUNCTION mainstay."ranged"(n numeric) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN n BETWEEN -9223372036854775808 AND 9223372036854775807 THEN n
  WHEN n IS NULL THEN NULL ELSE 'NaN'::numeric END;

-- Rounded to the nearest, ties to even.
CREATE OR REPLACE FUNCTION mainstay."half_even"(above numeric, below numeric) RETURNS numeric
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $body$
DECLARE
  quotient numeric := div(above, below);
  rest numeric := abs(mod(above, below)) * 2;
BEGIN
  IF rest < abs(below) OR (rest = abs(below) AND mod(quotient, 2) = 0) THEN
    RETURN quotient;
  END IF;
  RETURN quotient + CASE WHEN (above < 0) = (below < 0) THEN 1 ELSE -1 END;
END
$body$;

-- Units of 10^-came as units of 10^-wanted.
CREATE OR REPLACE FUNCTION mainstay."rescaled"(n numeric, came int, wanted int) RETURNS numeric
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $body$
BEGIN
  IF n IS NULL OR n = 'NaN' THEN
    RETURN n;
  ELSIF wanted >= came THEN
    RETURN mainstay."ranged"(n * trunc(10::numeric ^ (wanted - came)));
  END IF;
  RETURN mainstay."ranged"(mainstay."half_even"(n, trunc(10::numeric ^ (came - wanted))));
END
$body$;

CREATE OR REPLACE FUNCTION mainstay."mean"(total numeric, rows bigint, came int, wanted int)
RETURNS numeric LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $body$
DECLARE
  fine int := greatest(came, wanted);
BEGIN
  IF total IS NULL OR total = 'NaN' OR rows = 0 THEN
    RETURN total;
  END IF;
  RETURN mainstay."rescaled"(
    mainstay."half_even"(total * trunc(10::numeric ^ (fine - came)), rows), fine, wanted);
END
$body$;

CREATE OR REPLACE FUNCTION mainstay."negate"(word text, n numeric) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN n = 'NaN' THEN n ELSE mainstay."ranged"(-n) END;

-- Days since 1970 of a moment.
CREATE OR REPLACE FUNCTION mainstay."day"(n numeric) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN div(n - mod(mod(n, 86400000000) + 86400000000, 86400000000), 86400000000);

-- Digits after the point of what a word of a signature stands for.
CREATE OR REPLACE FUNCTION mainstay."scale"(word text) RETURNS int
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN word LIKE 'decimal:%' THEN split_part(word, ':', 2)::int
  WHEN word = 'money' THEN 4 ELSE 0 END;

-- -1, 0, 1, or null where one of them is null.
CREATE OR REPLACE FUNCTION mainstay."order"(signature text, a numeric, b numeric) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN sign(
  a * trunc(10::numeric ^ mainstay."scale"(split_part(signature, '|', 2)))
  - b * trunc(10::numeric ^ mainstay."scale"(split_part(signature, '|', 1))));

-- a (in units of 10^-s) operator b (of 10^-t), in units of 10^-u.
CREATE OR REPLACE FUNCTION mainstay."exact"(
  operator text, a numeric, s int, b numeric, t int, u int) RETURNS numeric
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $body$
DECLARE
  -- The evaluation computes in 128 bits.
  widest constant numeric := 170141183460469231731687303715884105727;
  common int := greatest(s, t);
  x numeric := a * trunc(10::numeric ^ (common - s));
  y numeric := b * trunc(10::numeric ^ (common - t));
BEGIN
  IF operator = 'multiply' THEN
    IF u > s + t AND abs(a * b * trunc(10::numeric ^ (u - s - t))) > widest THEN
      RETURN 'NaN';
    END IF;
    RETURN mainstay."rescaled"(a * b, s + t, u);
  ELSIF operator = 'divide' THEN
    IF b = 0 THEN
      RETURN 'NaN';
    END IF;
    x := a * trunc(10::numeric ^ (u + t));
    y := b * trunc(10::numeric ^ s);
    IF abs(x) > widest OR abs(y) > widest THEN
      RETURN 'NaN';
    END IF;
    RETURN mainstay."ranged"(mainstay."half_even"(x, y));
  ELSIF operator = 'remainder' THEN
    IF y = 0 THEN
      RETURN 'NaN';
    END IF;
    RETURN mainstay."rescaled"(mod(x, y), common, u);
  END IF;
  RETURN mainstay."rescaled"(CASE operator WHEN 'add' THEN x + y ELSE x - y END, common, u);
END
$body$;

-- a operator b among whole numbers of 64 bits.
CREATE OR REPLACE FUNCTION mainstay."whole"(operator text, a numeric, b numeric) RETURNS numeric
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $body$
BEGIN
  IF operator IN ('divide', 'remainder') AND b = 0 THEN
    RETURN 'NaN';
  ELSIF operator = 'remainder' AND b = -1 AND a = -9223372036854775808 THEN
    RETURN 'NaN';
  END IF;
  RETURN mainstay."ranged"(CASE operator
    WHEN 'add' THEN a + b WHEN 'subtract' THEN a - b WHEN 'multiply' THEN a * b
    WHEN 'divide' THEN div(a, b) ELSE mod(a, b) END);
END
$body$;

-- `add|money|money|money`: what is done, to what, and what comes of it.
CREATE OR REPLACE FUNCTION mainstay."arithmetic"(
  signature text, a numeric, a_currency text, b numeric, b_currency text) RETURNS numeric
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $body$
DECLARE
  words constant text[] := string_to_array(signature, '|');
  operator constant text := words[1];
  day constant numeric := 86400000000;
  days numeric;
BEGIN
  IF a = 'NaN' OR b = 'NaN' THEN
    RETURN 'NaN';
  ELSIF a IS NULL OR b IS NULL THEN
    RETURN NULL;
  ELSIF words[2] = 'date' AND words[3] = 'date' THEN
    RETURN mainstay."ranged"((a - b) * day);
  ELSIF words[2] = 'date' THEN
    days := mainstay."ranged"(a * day);
    days := mainstay."day"(mainstay."whole"(operator, days, b));
    RETURN CASE WHEN days BETWEEN -2147483648 AND 2147483647 THEN days ELSE 'NaN'::numeric END;
  ELSIF words[2] IN ('timestamp', 'duration') OR words[3] IN ('timestamp', 'duration') THEN
    RETURN mainstay."whole"(operator, a, b);
  ELSIF words[2] = 'money' AND words[3] = 'money' THEN
    IF a_currency <> b_currency THEN
      RETURN 'NaN';
    ELSIF operator = 'divide' THEN
      RETURN mainstay."exact"(operator, a, 4, b, 4, mainstay."scale"(words[4]));
    END IF;
    RETURN mainstay."whole"(operator, a, b);
  ELSIF words[2] = 'int' AND words[3] = 'int' AND words[4] = 'int' THEN
    RETURN mainstay."whole"(operator, a, b);
  END IF;
  RETURN mainstay."exact"(
    operator, a, mainstay."scale"(words[2]), b, mainstay."scale"(words[3]),
    mainstay."scale"(words[4]));
END
$body$;
