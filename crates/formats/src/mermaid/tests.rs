//! Diagrams of names that the grammar of Mermaid could stumble over.
