//! Puts tokens together to the first document: its nodes, with anchors found and aliases tied to them.
//!
//! Source of the grammar: YAML 1.1 appendix A in libyaml's LL(1) form.

use std::collections::HashMap;

use super::{
    Error,
    cursor::Mark,
    scanner::Scanner,
    token::{Kind, error, parse_error},
};

/// The real reader goes 10 000 levels deep; a stack of ours is smaller, and nobody nests a thousand.
const MAX_DEPTH: usize = 1000;

/// The number of a node in its document.
pub(super) type Id = usize;

/// A node.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) content: Content,
    /// With its handle resolved; empty when there is none.
    pub(super) tag: String,
    pub(super) start: Mark,
    pub(super) end: Mark,
}

/// What a node holds.
#[derive(Debug)]
pub(super) enum Content {
    Scalar {
        value: String,
        /// Its type is told by how it looks.
        plain: bool,
    },
    Sequence(Vec<Id>),
    Mapping(Vec<(Id, Id)>),
    Alias {
        anchor: String,
        target: Id,
    },
}

/// The nodes of a document by number.
#[derive(Debug, Default)]
pub(super) struct Document {
    pub(super) nodes: Vec<Node>,
    pub(super) root: Option<Id>,
}

/// Parses the first document of a text.
pub(super) fn parse(text: &str) -> Result<Document, Error> {
    let mut parser = Parser {
        scanner: Scanner::new(text),
        document: Document::default(),
        anchors: HashMap::new(),
        tags: HashMap::new(),
        depth: 0,
    };
    parser.document()?;
    Ok(parser.document)
}

pub(super) struct Parser<'a> {
    scanner: Scanner<'a>,
    pub(super) document: Document,
    anchors: HashMap<String, Id>,
    tags: HashMap<String, String>,
    depth: usize,
}

/// What may stand at a place.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Flow,
    Block,
    /// A value in a block mapping, whose `-` entries need no deeper indentation.
    BlockValue,
}

impl Parser<'_> {
    pub(super) fn peek(&mut self) -> Result<&Kind, Error> {
        Ok(&self.scanner.peek()?.kind)
    }

    pub(super) fn start(&mut self) -> Result<Mark, Error> {
        Ok(self.scanner.peek()?.start)
    }

    /// Removes the token that was peeked at, and says where it ended.
    pub(super) fn skip(&mut self) -> Mark {
        self.scanner
            .take()
            .map(|token| token.end)
            .unwrap_or_default()
    }

    fn document(&mut self) -> Result<(), Error> {
        if *self.peek()? == Kind::StreamEnd {
            return Ok(());
        }
        let explicit = matches!(
            self.peek()?,
            Kind::Version { .. } | Kind::TagDirective { .. } | Kind::DocumentStart
        );
        self.directives()?;
        let mut empty = false;
        if explicit {
            if *self.peek()? != Kind::DocumentStart {
                let at = self.start()?;
                return Err(parse_error(
                    "did not find expected <document start>",
                    at,
                    Mark::default(),
                ));
            }
            self.skip();
            empty = matches!(
                self.peek()?,
                Kind::Version { .. }
                    | Kind::TagDirective { .. }
                    | Kind::DocumentStart
                    | Kind::DocumentEnd
                    | Kind::StreamEnd
            );
        }
        let root = if empty {
            let at = self.start()?;
            self.empty(at)
        } else {
            self.node(Place::Block)?
        };
        self.document.root = Some(root);
        // The token behind the document is still read, and may be broken.
        self.peek()?;
        Ok(())
    }

    fn directives(&mut self) -> Result<(), Error> {
        let mut version = false;
        loop {
            let at = self.start()?;
            let problem = match self.peek()?.clone() {
                Kind::Version { .. } if version => "found duplicate %YAML directive",
                Kind::Version { major: 1, minor: 1 } => {
                    version = true;
                    self.skip();
                    continue;
                }
                Kind::Version { .. } => "found incompatible YAML document",
                Kind::TagDirective { handle, prefix } => {
                    if self.tags.insert(handle, prefix).is_none() {
                        self.skip();
                        continue;
                    }
                    "found duplicate %TAG directive"
                }
                _ => break,
            };
            return Err(parse_error(problem, at, Mark::default()));
        }
        for (handle, prefix) in [("!", "!"), ("!!", super::resolve::PREFIX)] {
            self.tags
                .entry(handle.to_owned())
                .or_insert_with(|| prefix.to_owned());
        }
        Ok(())
    }

    pub(super) fn add(&mut self, content: Content, tag: String, start: Mark, end: Mark) -> Id {
        self.document.nodes.push(Node {
            content,
            tag,
            start,
            end,
        });
        self.document.nodes.len() - 1
    }

    pub(super) fn empty(&mut self, at: Mark) -> Id {
        let content = Content::Scalar {
            value: String::new(),
            plain: true,
        };
        self.add(content, String::new(), at, at)
    }

    pub(super) fn node(&mut self, place: Place) -> Result<Id, Error> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(error("exceeded max depth of 10000"));
        }
        let node = self.shallow_node(place);
        self.depth -= 1;
        node
    }

    fn shallow_node(&mut self, place: Place) -> Result<Id, Error> {
        let start = self.start()?;
        if let Kind::Alias(anchor) = self.peek()?.clone() {
            let end = self.skip();
            // The real reader looks the name up before it reads on.
            let Some(target) = self.anchors.get(&anchor).copied() else {
                return Err(error(&format!("unknown anchor '{anchor}' referenced")));
            };
            let content = Content::Alias { anchor, target };
            return Ok(self.add(content, String::new(), start, end));
        }
        let (anchor, tag, end) = self.properties(start)?;
        let properties = anchor.is_some() || !tag.is_empty();
        let content = match self.peek()?.clone() {
            Kind::BlockEntry if place == Place::BlockValue => Content::Sequence(Vec::new()),
            Kind::Scalar { value, plain } => {
                let end = self.skip();
                let plain = plain && tag.is_empty() || tag == "!";
                let id = self.add(Content::Scalar { value, plain }, tag, start, end);
                self.name(anchor, id);
                return Ok(id);
            }
            Kind::FlowSequenceStart => Content::Sequence(Vec::new()),
            Kind::FlowMappingStart => Content::Mapping(Vec::new()),
            Kind::BlockSequenceStart if place != Place::Flow => Content::Sequence(Vec::new()),
            Kind::BlockMappingStart if place != Place::Flow => Content::Mapping(Vec::new()),
            _ if properties => {
                let value = String::new();
                let plain = tag.is_empty();
                let id = self.add(Content::Scalar { value, plain }, tag, start, end);
                self.name(anchor, id);
                return Ok(id);
            }
            _ => {
                let at = self.start()?;
                return Err(parse_error("did not find expected node content", at, start));
            }
        };
        let id = self.add(content, tag, start, end);
        // Named before its parts are read, so that they can refer to it.
        self.name(anchor, id);
        let end = match self.peek()? {
            Kind::BlockEntry => self.indentless_sequence(id)?,
            Kind::FlowSequenceStart => self.flow_sequence(id)?,
            Kind::FlowMappingStart => self.flow_mapping(id)?,
            Kind::BlockSequenceStart => self.block_sequence(id)?,
            _ => self.block_mapping(id)?,
        };
        self.document.nodes[id].end = end;
        Ok(id)
    }

    fn name(&mut self, anchor: Option<String>, id: Id) {
        if let Some(anchor) = anchor {
            self.anchors.insert(anchor, id);
        }
    }

    /// An anchor and a tag, in either order.
    fn properties(&mut self, start: Mark) -> Result<(Option<String>, String, Mark), Error> {
        let (mut anchor, mut tag, mut end) = (None, None, start);
        loop {
            let at = self.start()?;
            match self.peek()?.clone() {
                Kind::Anchor(name) if anchor.is_none() => anchor = Some(name),
                Kind::Tag { handle, suffix } if tag.is_none() => tag = Some((handle, suffix, at)),
                _ => break,
            }
            end = self.skip();
        }
        let tag = match tag {
            None => String::new(),
            Some((handle, suffix, _)) if handle.is_empty() => suffix,
            Some((handle, suffix, at)) => match self.tags.get(&handle) {
                Some(prefix) => format!("{prefix}{suffix}"),
                None => return Err(parse_error("found undefined tag handle", at, start)),
            },
        };
        Ok((anchor, tag, end))
    }

    pub(super) fn item(&mut self, sequence: Id, item: Id) {
        if let Content::Sequence(items) = &mut self.document.nodes[sequence].content {
            items.push(item);
        }
    }

    pub(super) fn pair(&mut self, mapping: Id, key: Id, value: Id) {
        if let Content::Mapping(pairs) = &mut self.document.nodes[mapping].content {
            pairs.push((key, value));
        }
    }

    fn block_sequence(&mut self, id: Id) -> Result<Mark, Error> {
        let context = self.start()?;
        self.skip();
        loop {
            match self.peek()? {
                Kind::BlockEntry => {
                    let at = self.skip();
                    let item = match self.peek()? {
                        Kind::BlockEntry | Kind::BlockEnd => self.empty(at),
                        _ => self.node(Place::Block)?,
                    };
                    self.item(id, item);
                }
                Kind::BlockEnd => return Ok(self.skip()),
                _ => {
                    let at = self.start()?;
                    return Err(parse_error(
                        "did not find expected '-' indicator",
                        at,
                        context,
                    ));
                }
            }
        }
    }

    fn indentless_sequence(&mut self, id: Id) -> Result<Mark, Error> {
        while *self.peek()? == Kind::BlockEntry {
            let at = self.skip();
            let item = match self.peek()? {
                Kind::BlockEntry | Kind::Key | Kind::Value | Kind::BlockEnd => self.empty(at),
                _ => self.node(Place::Block)?,
            };
            self.item(id, item);
        }
        self.start()
    }

    fn block_mapping(&mut self, id: Id) -> Result<Mark, Error> {
        let context = self.start()?;
        self.skip();
        loop {
            // A value without a key has an empty one; only a key can begin an entry, though.
            let key = match self.peek()? {
                Kind::Key => {
                    let at = self.skip();
                    self.block_node_or_empty(at)?
                }
                Kind::BlockEnd => return Ok(self.skip()),
                _ => {
                    let at = self.start()?;
                    return Err(parse_error("did not find expected key", at, context));
                }
            };
            let value = if *self.peek()? == Kind::Value {
                let at = self.skip();
                self.block_node_or_empty(at)?
            } else {
                let at = self.start()?;
                self.empty(at)
            };
            self.pair(id, key, value);
        }
    }

    fn block_node_or_empty(&mut self, at: Mark) -> Result<Id, Error> {
        match self.peek()? {
            Kind::Key | Kind::Value | Kind::BlockEnd => Ok(self.empty(at)),
            _ => self.node(Place::BlockValue),
        }
    }
}
