//! The questions, over anything that can be read and written by lines.

use std::io::{BufRead, Write};
use std::path::Path;

use super::Init;
use super::answers::{Answers, KeySource};

/// Whoever answers.
pub(super) struct Terminal<R, W> {
    /// Where answers come from.
    pub(super) answers: R,
    /// Where questions go.
    pub(super) questions: W,
}

impl<R: BufRead, W: Write> Terminal<R, W> {
    /// Asks for everything that no flag says. An empty answer takes what stands in brackets.
    ///
    /// # Errors
    /// Where nobody answers any more, or what a flag says is no good.
    pub(super) fn ask(&mut self, asked: &Init, output: &Path) -> Result<Answers, String> {
        let hotwax = asked.hotwax || (asked.is_open() && self.yes("Is it for a HotWax OMS?")?);
        let mut answers = Answers::usual(asked, hotwax);
        let mut open: Vec<Question> = Vec::new();
        if asked.listen.is_none() {
            open.push(Question {
                text: "Where to listen",
                key: "listen",
                set: |own, text| own.listen = text,
                usual: |own| own.listen.clone(),
            });
        }
        if asked.upstream.is_none() {
            open.push(Question {
                text: "Where allowed requests go",
                key: "upstream",
                set: |own, text| own.upstream = text,
                usual: |own| own.upstream.clone(),
            });
        }
        if asked.unmatched.is_none() {
            open.push(Question {
                text: "What happens to requests that no route names: open, protected or deny",
                key: "unmatched",
                set: |own, text| own.unmatched = text,
                usual: |own| own.unmatched.clone(),
            });
        }
        if asked.source().is_none() {
            open.push(Question {
                text: "Where the key is: secret:FILE, env:NAME, pem:FILE or jwks:FILE",
                key: "issuer",
                set: |own, text| own.source = source(&text).unwrap_or(KeySource::SecretFile(text)),
                usual: |_| "secret:jwtKey.txt".to_owned(),
            });
        }
        if asked.iss.is_none() {
            open.push(Question {
                text: "What must stand in `iss` (empty: it is not looked at)",
                key: "issuer",
                set: |own, text| own.iss = some(text),
                usual: |_| String::new(),
            });
        }
        if asked.aud.is_none() {
            open.push(Question {
                text: "What must stand in `aud` (empty: it is not looked at)",
                key: "issuer",
                set: |own, text| own.aud = some(text),
                usual: |_| String::new(),
            });
        }
        if asked.subject.is_none() {
            open.push(Question {
                text: "The claim that names the user",
                key: "issuer",
                set: |own, text| own.subject = text,
                usual: |own| own.subject.clone(),
            });
        }
        for question in open {
            self.put(&question, &mut answers, output)?;
        }
        if answers.routes.is_empty() {
            self.routes(&mut answers, output)?;
        }
        Ok(answers)
    }

    /// Puts a question until the answer is good.
    fn put(&mut self, question: &Question, answers: &mut Answers, output: &Path) -> Result<(), String> {
        loop {
            let usual = (question.usual)(answers);
            let shown = if usual.is_empty() { String::new() } else { format!(" [{usual}]") };
            let text = self.line(&format!("{}{shown}: ", question.text))?;
            let mut tried = answers.clone();
            (question.set)(&mut tried, if text.is_empty() { usual } else { text });
            match tried.complaint(output, question.key) {
                None => {
                    *answers = tried;
                    return Ok(());
                }
                Some(problem) => self.say(&format!("  {problem}\n"))?,
            }
        }
    }

    /// Paths, one a line, until an empty one.
    fn routes(&mut self, answers: &mut Answers, output: &Path) -> Result<(), String> {
        loop {
            let text = self.line("A path that needs a token (empty: no more): ")?;
            if text.is_empty() && (!answers.routes.is_empty() || answers.unmatched == "protected") {
                return Ok(());
            }
            let mut tried = answers.clone();
            tried.routes.push(text);
            match tried.complaint(output, "route") {
                None => *answers = tried,
                Some(problem) => self.say(&format!("  {problem}\n"))?,
            }
        }
    }

    fn yes(&mut self, question: &str) -> Result<bool, String> {
        loop {
            match self.line(&format!("{question} [Y/n]: "))?.to_ascii_lowercase().as_str() {
                "" | "y" | "yes" => return Ok(true),
                "n" | "no" => return Ok(false),
                _ => self.say("  answer y or n\n")?,
            }
        }
    }

    /// An answer without white space around it.
    fn line(&mut self, question: &str) -> Result<String, String> {
        self.say(question)?;
        let mut line = String::new();
        match self.answers.read_line(&mut line) {
            Ok(0) => Err("the answers ended before the questions; nothing is written".to_owned()),
            Ok(_) => Ok(line.trim().to_owned()),
            Err(error) => Err(format!("cannot read an answer: {error}")),
        }
    }

    fn say(&mut self, text: &str) -> Result<(), String> {
        let said = self.questions.write_all(text.as_bytes()).and_then(|()| self.questions.flush());
        said.map_err(|error| format!("cannot ask: {error}"))
    }
}

/// A question about one answer.
struct Question {
    text: &'static str,
    /// How complaints about it begin.
    key: &'static str,
    set: fn(&mut Answers, String),
    /// What an empty line stands for.
    usual: fn(&Answers) -> String,
}

fn some(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

fn source(text: &str) -> Option<KeySource> {
    let (kind, rest) = text.split_once(':')?;
    let rest = rest.to_owned();
    match kind {
        "secret" => Some(KeySource::SecretFile(rest)),
        "env" => Some(KeySource::SecretEnv(rest)),
        "pem" => Some(KeySource::Pem(rest)),
        "jwks" => Some(KeySource::Jwks(rest)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(flags: &Init, answers: &str) -> (Result<Answers, String>, String) {
        let folder = tempfile::tempdir().unwrap();
        let mut terminal = Terminal { answers: answers.as_bytes(), questions: Vec::new() };
        let outcome = terminal.ask(flags, &folder.path().join("config.toml"));
        (outcome, String::from_utf8(terminal.questions).unwrap())
    }

    #[test]
    fn empty_answers_make_the_preset() {
        let (answers, _) = asked(&Init::default(), &"\n".repeat(8));
        let answers = answers.unwrap();
        assert!(answers.hotwax && answers.iss.is_none());
        assert_eq!((&*answers.unmatched, &*answers.subject, answers.routes.len()), ("open", "userLoginId", 3));
    }

    #[test]
    fn a_bad_answer_is_told_and_asked_again() {
        let flags = Init { upstream: Some("http://a".into()), ..Init::default() };
        let said = "n\n:8080\n127.0.0.1:80\nopne\ndeny\npem:idp.pem\nhttps://idp.example/\n\n\nno slash\n/x\n/y\n\n";
        let (answers, told) = asked(&flags, said);
        let answers = answers.unwrap();
        assert_eq!(answers.source, KeySource::Pem("idp.pem".into()));
        assert_eq!((answers.routes, answers.aud), (vec!["/x".to_owned(), "/y".to_owned()], None));
        for words in ["write \"0.0.0.0:8080\"", "did you mean \"open\"?", "no slash"] {
            assert!(told.contains(words), "{words}: {told}");
        }
        assert!(!told.contains("Where allowed requests go"), "a flag says it");
    }

    #[test]
    fn answers_that_end_are_an_error() {
        assert!(asked(&Init::default(), "y\n").0.unwrap_err().contains("nothing is written"));
    }
}
