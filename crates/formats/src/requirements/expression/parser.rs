//! Builds the tree by precedence climbing; the depth of its recursion is bounded.

use super::lexer::{Kind, Token, tokens};
use super::{EXPRESSION_BYTES_MAX, EXPRESSION_HEIGHT_MAX, Fault, refuse};
use crate::requirements::faults::{bad_expression, huge_expression};
use crate::requirements::source::Slice;
use ir::expr::{Node, Operator, Tree};
use ir::{Diagnostic, Spanned};

/// Parentheses, lists, calls and signs that may stand inside each other.
const NESTING_MAX: usize = 32;

/// Reads the whole slice as one expression.
pub(super) fn parse(slice: Slice<'_>) -> Result<Tree, Fault> {
    if slice.text.is_empty() {
        return refuse(bad_expression::at(slice.span(), "an expression is missing here"));
    }
    if slice.text.len() > EXPRESSION_BYTES_MAX {
        return refuse(huge_expression::long(slice.span(), slice.text.len()));
    }
    let tokens = tokens(slice)?;
    let mut parser = Parser { slice, tokens, at: 0, nesting: 0 };
    let (tree, _) = parser.expression(Level::Or)?;
    if parser.peek() == &Kind::End { Ok(tree) } else { refuse(parser.surplus()) }
}

/// Precedence, from the loosest to the tightest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    Or,
    And,
    Not,
    Relation,
    Sum,
    Product,
    Unary,
    Postfix,
}

/// The level at which an operator stands.
pub(super) fn level(operator: Operator) -> Level {
    match operator {
        Operator::Or => Level::Or,
        Operator::And => Level::And,
        Operator::Equal
        | Operator::NotEqual
        | Operator::Less
        | Operator::LessEqual
        | Operator::Greater
        | Operator::GreaterEqual
        | Operator::In => Level::Relation,
        Operator::Add | Operator::Subtract => Level::Sum,
        Operator::Multiply | Operator::Divide | Operator::Remainder => Level::Product,
    }
}

/// The next tighter level, for the right operand of a left-associative operator.
pub(super) fn tighter(level: Level) -> Level {
    match level {
        Level::Or => Level::And,
        Level::And => Level::Not,
        Level::Not => Level::Relation,
        Level::Relation => Level::Sum,
        Level::Sum => Level::Product,
        Level::Product => Level::Unary,
        Level::Unary | Level::Postfix => Level::Postfix,
    }
}

/// A tree and its height.
type Grown = (Tree, usize);

struct Parser<'t> {
    slice: Slice<'t>,
    tokens: Vec<Token>,
    at: usize,
    nesting: usize,
}

impl Parser<'_> {
    fn peek(&self) -> &Kind {
        &self.tokens[self.at].kind
    }

    fn next(&mut self) -> Token {
        let token = self.tokens[self.at].clone();
        self.at = (self.at + 1).min(self.tokens.len() - 1);
        token
    }

    fn expect(&mut self, kind: &Kind, what: &str) -> Result<Token, Fault> {
        if self.peek() == kind { Ok(self.next()) } else { refuse(self.wrong(what)) }
    }

    /// A fault at the next token: `what` was expected there.
    fn wrong(&self, what: &str) -> Diagnostic {
        let token = &self.tokens[self.at];
        let span = self.slice.span_of(token.start, token.end);
        if token.kind == Kind::End {
            return bad_expression::at(span, &format!("the expression ends before {what}"));
        }
        let found = &self.slice.text[token.start..token.end];
        bad_expression::at(span, &format!("{what} was expected before `{found}`"))
    }

    /// What stands after a whole expression.
    fn surplus(&self) -> Diagnostic {
        let token = &self.tokens[self.at];
        let span = self.slice.span_of(token.start, token.end);
        let found = &self.slice.text[token.start..token.end];
        let fault =
            bad_expression::at(span, &format!("`{found}` does not continue the expression"));
        let after_name = self.at > 0 && matches!(self.tokens[self.at - 1].kind, Kind::Name(_));
        match &token.kind {
            Kind::Name(_) | Kind::Int(_) | Kind::Decimal { .. } if after_name => fault
                .help("join two conditions with `&&` or `||`; put text in quotes: `('two words')`"),
            Kind::Close => fault.help("this parenthesis was never opened"),
            Kind::CloseList => fault.help("this bracket was never opened"),
            _ => fault,
        }
    }

    /// One step further in; refuses what would be too deep.
    fn enter(&mut self) -> Result<(), Fault> {
        self.nesting += 1;
        if self.nesting <= NESTING_MAX {
            return Ok(());
        }
        let token = &self.tokens[self.at];
        refuse(huge_expression::deep(self.slice.span_of(token.start, token.end), NESTING_MAX))
    }

    /// A node over the bytes from `start` to the last token read.
    fn node(&self, node: Node, start: usize, height: usize) -> Result<Grown, Fault> {
        let end = self.tokens[self.at.max(1) - 1].end;
        let span = self.slice.span_of(start, end);
        if height > EXPRESSION_HEIGHT_MAX {
            return refuse(huge_expression::high(span));
        }
        Ok((Tree { node, span }, height))
    }

    fn expression(&mut self, least: Level) -> Result<Grown, Fault> {
        let start = self.tokens[self.at].start;
        let (mut left, mut height) = self.operand(least)?;
        loop {
            let Some((operator, negated)) = self.operator(least) else { return Ok((left, height)) };
            self.at += 1 + usize::from(negated);
            let of = level(operator);
            let (right, other) = self.right_side(operator, of)?;
            let node = Node::Binary(operator, Box::new(left), Box::new(right));
            height = 1 + height.max(other);
            (left, height) = self.node(node, start, height)?;
            if negated {
                (left, height) = self.node(Node::Not(Box::new(left)), start, height + 1)?;
            }
            if of == Level::Relation {
                self.refuse_chain()?;
            }
        }
    }

    /// The next token as an operator of at least that level; `not in` is a negated `in`.
    fn operator(&self, least: Level) -> Option<(Operator, bool)> {
        let (operator, negated) = match (self.peek(), self.tokens.get(self.at + 1)) {
            (Kind::Operator(operator), _) => (*operator, false),
            (Kind::Not, Some(Token { kind: Kind::Operator(Operator::In), .. })) => {
                (Operator::In, true)
            }
            _ => return None,
        };
        (level(operator) >= least).then_some((operator, negated))
    }

    fn right_side(&mut self, operator: Operator, of: Level) -> Result<Grown, Fault> {
        if operator == Operator::In && self.peek() == &Kind::OpenList {
            return self.list();
        }
        self.expression(tighter(of))
    }

    fn refuse_chain(&self) -> Result<(), Fault> {
        match self.operator(Level::Relation) {
            Some((operator, _)) if level(operator) == Level::Relation => {
                let token = &self.tokens[self.at];
                let span = self.slice.span_of(token.start, token.end);
                let fault = bad_expression::at(span, "comparisons do not chain");
                refuse(fault.help("compare twice: `a < b && b < c`"))
            }
            _ => Ok(()),
        }
    }

    /// A prefix operator with its operand, or an operand alone.
    fn operand(&mut self, least: Level) -> Result<Grown, Fault> {
        let start = self.tokens[self.at].start;
        let kind = self.peek().clone();
        match kind {
            Kind::Not if least <= Level::Not => {
                self.next();
                self.enter()?;
                let (inner, height) = self.expression(Level::Not)?;
                self.nesting -= 1;
                self.node(Node::Not(Box::new(inner)), start, height + 1)
            }
            Kind::Not => {
                let fault = self.wrong("an operand");
                refuse(fault.help("put the negation in parentheses: `(not x)`"))
            }
            Kind::Bang => {
                self.next();
                self.enter()?;
                let (inner, height) = self.operand(Level::Unary)?;
                self.nesting -= 1;
                self.node(Node::Not(Box::new(inner)), start, height + 1)
            }
            Kind::Operator(Operator::Subtract) => {
                self.next();
                if self.peek() == &Kind::Int(i128::from(i64::MIN).abs()) {
                    self.next();
                    return self.node(Node::Int(i64::MIN), start, 1);
                }
                self.enter()?;
                let (inner, height) = self.operand(Level::Unary)?;
                self.nesting -= 1;
                self.node(Node::Negate(Box::new(inner)), start, height + 1)
            }
            _ => self.postfix(),
        }
    }

    /// An operand and the members asked of it.
    fn postfix(&mut self) -> Result<Grown, Fault> {
        let start = self.tokens[self.at].start;
        let (mut tree, mut height) = self.primary()?;
        while self.peek() == &Kind::Dot {
            self.next();
            let name = match self.peek() {
                Kind::Name(name) => name.clone(),
                _ => return refuse(self.wrong("a name after the point")),
            };
            let token = self.next();
            let name = Spanned::new(name, self.slice.span_of(token.start, token.end));
            if self.peek() == &Kind::Open {
                let subject = &self.slice.text[start..token.start - 1];
                let span = self.slice.span_of(token.start, token.end);
                let message = format!("`{name}` is called like a method");
                let fault = bad_expression::at(span, &message);
                return refuse(
                    fault.help(format!("write the subject inside: `{name}({subject}, …)`")),
                );
            }
            height += 1;
            (tree, height) = self.node(Node::Member(Box::new(tree), name), start, height)?;
        }
        Ok((tree, height))
    }

    fn primary(&mut self) -> Result<Grown, Fault> {
        let token = self.tokens[self.at].clone();
        let node = match token.kind {
            Kind::Name(name) => {
                self.next();
                if self.peek() == &Kind::Open {
                    return self.call(name, token.start, token.end);
                }
                match name.as_str() {
                    "null" => Node::Null,
                    "true" => Node::Bool(true),
                    "false" => Node::Bool(false),
                    _ => Node::Name(name),
                }
            }
            Kind::Int(value) => {
                let Ok(value) = i64::try_from(value) else {
                    let span = self.slice.span_of(token.start, token.end);
                    let fault = bad_expression::at(span, "this whole number is too large");
                    return refuse(fault.help("the largest is 9_223_372_036_854_775_807"));
                };
                self.next();
                Node::Int(value)
            }
            Kind::Decimal { digits, scale } => {
                self.next();
                Node::Decimal { digits, scale }
            }
            Kind::Text(text) => {
                self.next();
                Node::Text(text)
            }
            Kind::Open => {
                self.next();
                self.enter()?;
                let (inner, height) = self.expression(Level::Or)?;
                self.nesting -= 1;
                self.expect(&Kind::Close, "a closing parenthesis")?;
                return Ok((inner, height));
            }
            Kind::OpenList => {
                let fault = self.wrong("an operand");
                return refuse(
                    fault.help("a list stands only on the right of `in`: `x in [a, b]`"),
                );
            }
            _ => return refuse(self.wrong("an operand")),
        };
        self.node(node, token.start, 1)
    }

    fn call(&mut self, name: String, start: usize, end: usize) -> Result<Grown, Fault> {
        let name = Spanned::new(name, self.slice.span_of(start, end));
        self.next();
        let (arguments, height) = self.items(&Kind::Close, "a closing parenthesis")?;
        self.node(Node::Call(name, arguments), start, height + 1)
    }

    fn list(&mut self) -> Result<Grown, Fault> {
        let start = self.next().start;
        let (items, height) = self.items(&Kind::CloseList, "a closing bracket")?;
        self.node(Node::List(items), start, height + 1)
    }

    /// Expressions with commas between them, up to and with the closing sign.
    fn items(&mut self, close: &Kind, what: &str) -> Result<(Vec<Tree>, usize), Fault> {
        let mut items = Vec::new();
        let mut height = 0;
        self.enter()?;
        while self.peek() != close {
            let (item, of) = self.expression(Level::Or)?;
            items.push(item);
            height = height.max(of);
            if self.peek() != &Kind::Comma {
                break;
            }
            self.next();
        }
        self.nesting -= 1;
        self.expect(close, what)?;
        Ok((items, height))
    }
}
