//! Flow collections: `[a, b: c]` and `{a: b}`.

use super::{
    Error,
    cursor::Mark,
    parser::{Content, Id, Parser, Place},
    token::{Kind, parse_error},
};

impl Parser<'_> {
    pub(super) fn flow_sequence(&mut self, id: Id) -> Result<Mark, Error> {
        let context = self.start()?;
        self.skip();
        let mut first = true;
        while *self.peek()? != Kind::FlowSequenceEnd {
            if !first {
                self.flow_separator("did not find expected ',' or ']'", context)?;
            }
            first = false;
            match self.peek()? {
                Kind::FlowSequenceEnd => break,
                Kind::Key => {
                    let start = self.start()?;
                    let end = self.skip();
                    let mapping = Content::Mapping(Vec::new());
                    let pair = self.add(mapping, String::new(), start, end);
                    self.flow_pair(pair)?;
                    self.item(id, pair);
                }
                _ => {
                    let item = self.node(Place::Flow)?;
                    self.item(id, item);
                }
            }
        }
        Ok(self.skip())
    }

    /// A single pair in a flow sequence. As in the real reader, an empty key swallows the token behind it.
    fn flow_pair(&mut self, id: Id) -> Result<(), Error> {
        let key = match self.peek()? {
            Kind::Value | Kind::FlowEntry | Kind::FlowSequenceEnd => {
                let at = self.skip();
                self.empty(at)
            }
            _ => self.node(Place::Flow)?,
        };
        let at = self.start()?;
        let mut value = None;
        if *self.peek()? == Kind::Value {
            self.skip();
            if !matches!(self.peek()?, Kind::FlowEntry | Kind::FlowSequenceEnd) {
                value = Some(self.node(Place::Flow)?);
            }
        }
        let value = match value {
            Some(value) => value,
            None => self.empty(at),
        };
        self.pair(id, key, value);
        self.document.nodes[id].end = self.start()?;
        Ok(())
    }

    pub(super) fn flow_mapping(&mut self, id: Id) -> Result<Mark, Error> {
        let context = self.start()?;
        self.skip();
        let mut first = true;
        while *self.peek()? != Kind::FlowMappingEnd {
            if !first {
                self.flow_separator("did not find expected ',' or '}'", context)?;
            }
            first = false;
            match self.peek()? {
                Kind::FlowMappingEnd => break,
                Kind::Key => {
                    self.skip();
                    let key = self.flow_node_or_empty()?;
                    let value = if *self.peek()? == Kind::Value {
                        self.skip();
                        self.flow_value_or_empty()?
                    } else {
                        let at = self.start()?;
                        self.empty(at)
                    };
                    self.pair(id, key, value);
                }
                _ => {
                    let key = self.node(Place::Flow)?;
                    let at = self.start()?;
                    let value = self.empty(at);
                    self.pair(id, key, value);
                }
            }
        }
        Ok(self.skip())
    }

    fn flow_node_or_empty(&mut self) -> Result<Id, Error> {
        if *self.peek()? == Kind::Value {
            let at = self.start()?;
            return Ok(self.empty(at));
        }
        self.flow_value_or_empty()
    }

    fn flow_value_or_empty(&mut self) -> Result<Id, Error> {
        match self.peek()? {
            Kind::FlowEntry | Kind::FlowMappingEnd => {
                let at = self.start()?;
                Ok(self.empty(at))
            }
            _ => self.node(Place::Flow),
        }
    }

    fn flow_separator(&mut self, problem: &str, context: Mark) -> Result<(), Error> {
        if *self.peek()? == Kind::FlowEntry {
            self.skip();
            return Ok(());
        }
        let at = self.start()?;
        Err(parse_error(problem, at, context))
    }
}
