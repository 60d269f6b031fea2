//! Letters with a carrier of the test's own: what leaves when, what is kept through a restart, what is taken in.

use super::{TestChain, desk_of, vault_of};
use crate::{Carrier, Desk, DeskError};
use heatmark_exchange::{Answer, Letter, LetterError};
use heatmark_ledger::ids::MemberId;
use heatmark_proto::exchange::v1 as pb;
use prost::Message as _;
use prost::bytes::Bytes;
use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};

const PATIENCE: Duration = Duration::from_secs(30);

/// Says to each member what the test wants, and notes what it carried.
struct Stub {
    answers: Mutex<BTreeMap<MemberId, Result<Answer, LetterError>>>,
    carried: mpsc::UnboundedSender<(MemberId, pb::Letter)>,
    connected: watch::Sender<Vec<MemberId>>,
    /// A member whose node never answers.
    silent: MemberId,
}

impl Carrier for Stub {
    fn post(
        &self,
        to: MemberId,
        letter: Bytes,
    ) -> Pin<Box<dyn Future<Output = Result<Answer, LetterError>> + Send + '_>> {
        let answer = self.answers.lock().unwrap().get(&to).copied();
        let silent = to == self.silent;
        self.carried.send((to, pb::Letter::decode(letter).unwrap())).unwrap();
        Box::pin(async move {
            if silent {
                std::future::pending::<()>().await;
            }
            answer.unwrap_or(Ok(Answer::Taken))
        })
    }

    fn connected(&self) -> watch::Receiver<Vec<MemberId>> {
        self.connected.subscribe()
    }
}

struct Post {
    stub: Arc<Stub>,
    carried: mpsc::UnboundedReceiver<(MemberId, pb::Letter)>,
    arriving: mpsc::Sender<Letter>,
    _stop: watch::Sender<bool>,
}

fn post_of(chain: &TestChain, desk: &Desk) -> Post {
    let (carrier, carried) = mpsc::unbounded_channel();
    let stub = Arc::new(Stub {
        answers: Mutex::default(),
        carried: carrier,
        connected: watch::Sender::new(Vec::new()),
        silent: chain.members[2].id,
    });
    let (arriving, letters) = mpsc::channel(4);
    let (stop, stopping) = watch::channel(false);
    // Detached: they end with the sender of `stop`.
    drop(desk.correspond(Arc::clone(&stub) as Arc<dyn Carrier>, letters, &stopping));
    Post { stub, carried, arriving, _stop: stop }
}

impl Post {
    async fn hears(&mut self) -> (MemberId, pb::Letter) {
        tokio::time::timeout(PATIENCE, self.carried.recv()).await.unwrap().unwrap()
    }

    async fn arrives(&self, from: MemberId, content: Vec<u8>) -> Answer {
        let (answer, heard) = oneshot::channel();
        let letter = Letter { from, content: content.into(), answer };
        self.arriving.send(letter).await.unwrap();
        heard.await.unwrap()
    }
}

async fn none_left(desk: &Desk) {
    let waited = tokio::time::timeout(PATIENCE, async {
        while !desk.letters().await.unwrap().0.is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    waited.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_waits_on_disk_until_its_receiver_is_there() {
    let chain = TestChain::new(3);
    let to = chain.members[1].id;
    {
        let desk = desk_of(&chain, 0, vault_of(&chain, "vault"));
        desk.send_letter(to, "heat.disclosure".to_owned(), b"shown".to_vec()).await.unwrap();
    }
    let desk = desk_of(&chain, 0, vault_of(&chain, "vault"));
    let mut post = post_of(&chain, &desk);
    assert_eq!(desk.letters().await.unwrap().0.len(), 1);
    post.stub.connected.send_replace(vec![to]);
    let (heard_by, letter) = post.hears().await;
    assert_eq!(heard_by, to);
    assert_eq!(
        (letter.name.as_str(), letter.content.as_slice()),
        ("heat.disclosure", &b"shown"[..])
    );
    none_left(&desk).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_put_off_comes_again_and_a_silent_member_holds_up_nobody() {
    let chain = TestChain::new(3);
    let (slow, silent) = (chain.members[1].id, chain.members[2].id);
    let desk = desk_of(&chain, 0, vault_of(&chain, "vault"));
    let mut post = post_of(&chain, &desk);
    post.stub.answers.lock().unwrap().insert(slow, Ok(Answer::Later));
    post.stub.connected.send_replace(vec![slow, silent]);
    desk.send_letter(silent, "a".to_owned(), vec![]).await.unwrap();
    assert_eq!(post.hears().await.0, silent);
    desk.send_letter(slow, "b".to_owned(), vec![]).await.unwrap();
    let (to, first) = post.hears().await;
    assert_eq!(to, slow);
    post.stub.answers.lock().unwrap().remove(&slow);
    let (to, again) = post.hears().await;
    assert_eq!((to, &again.id), (slow, &first.id));
    let only_the_silent_ones = tokio::time::timeout(PATIENCE, async {
        loop {
            let sent = desk.letters().await.unwrap().0;
            if sent.iter().all(|row| row.peer == *silent.as_bytes()) {
                return sent.len();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    assert_eq!(only_the_silent_ones.await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_letter_is_kept_and_not_sent_again() {
    let chain = TestChain::new(3);
    let to = chain.members[1].id;
    let desk = desk_of(&chain, 0, vault_of(&chain, "vault"));
    let mut post = post_of(&chain, &desk);
    post.stub.answers.lock().unwrap().insert(to, Ok(Answer::Refused));
    post.stub.connected.send_replace(vec![to]);
    let id = desk.send_letter(to, "a".to_owned(), vec![1]).await.unwrap();
    post.hears().await;
    let refused = tokio::time::timeout(PATIENCE, async {
        while !desk.letters().await.unwrap().0[0].refused {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    refused.await.unwrap();
    // The next one goes; the refused one does not go with it.
    post.stub.answers.lock().unwrap().remove(&to);
    desk.send_letter(to, "b".to_owned(), vec![2]).await.unwrap();
    assert_eq!(post.hears().await.1.name, "b");
    desk.drop_letter(id).await.unwrap();
    none_left(&desk).await;
    assert!(post.carried.try_recv().is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn only_files_under_plain_names_go_and_are_taken_in() {
    let chain = TestChain::new(3);
    let from = chain.members[1].id;
    let desk = desk_of(&chain, 0, vault_of(&chain, "vault"));
    let post = post_of(&chain, &desk);
    let letter = |id: usize, name: &str| {
        pb::Letter { id: vec![9; id], name: name.to_owned(), content: vec![1] }.encode_to_vec()
    };
    let long = "x".repeat(256);
    let hidden = [
        '\u{202e}',
        '\u{61c}',
        '\u{2028}',
        '\u{2029}',
        '\u{ad}',
        '\u{180e}',
        '\u{2060}',
        '\u{2064}',
        '\u{3164}',
        '\u{e0041}',
        '\u{fe0f}',
        '\u{206a}',
    ];
    let hidden = hidden.map(|c| format!("a{c}b"));
    let bad = ["", ".", "..", ".ssh", "../up", "a/b", "a\\b", "c:a", "a\nb", long.as_str()];
    for name in bad.into_iter().chain(hidden.iter().map(String::as_str)) {
        let sent = desk.send_letter(from, name.to_owned(), vec![]).await;
        assert!(matches!(sent, Err(DeskError::Letter)), "{name:?}");
        assert_eq!(post.arrives(from, letter(32, name)).await, Answer::Refused, "{name:?}");
    }
    for bytes in [
        letter(31, "a"),
        letter(33, "a"),
        vec![],
        vec![7; 99],
        [letter(32, "a"), vec![0x20, 1]].concat(),
    ] {
        assert_eq!(post.arrives(from, bytes).await, Answer::Refused);
    }
    assert!(desk.letters().await.unwrap().1.is_empty());
    for _ in 0..2 {
        assert_eq!(post.arrives(from, letter(32, "a.disclosure")).await, Answer::Taken);
    }
    let arrived = desk.letters().await.unwrap().1;
    assert_eq!((arrived.len(), arrived[0].peer), (1, *from.as_bytes()));
    let (row, content) = desk.letter(arrived[0].id).await.unwrap();
    assert_eq!((row.name.as_str(), content.as_slice()), ("a.disclosure", &[1][..]));
    desk.drop_letter(row.id).await.unwrap();
    assert!(matches!(desk.letter(row.id).await, Err(DeskError::UnknownLetter)));
    let stranger = MemberId::from([3; 32]);
    let to_nobody = desk.send_letter(stranger, "a".to_owned(), vec![]).await;
    assert!(matches!(to_nobody, Err(DeskError::UnknownMember(_))));
    let too_long = desk.send_letter(from, "a".to_owned(), vec![0; (4 << 20) + 1]).await;
    assert!(matches!(too_long, Err(DeskError::Letter)));
}
