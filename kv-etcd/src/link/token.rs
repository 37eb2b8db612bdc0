use std::sync::{Arc, PoisonError, RwLock};

use etcd_client::Channel;
use http::{HeaderValue, Request};
use tonic::body::Body;
use tower::ServiceExt;
use tower::util::BoxCloneSyncService;

use super::connections::Connections;

/// The token that requests carry, and which one it is: they are counted from 1, and 0 is none.
#[derive(Default)]
pub(super) struct TokenSlot {
    current: RwLock<(u64, Option<HeaderValue>)>,
}

impl TokenSlot {
    /// Which token requests carry.
    pub(super) fn number(&self) -> u64 {
        self.current.read().unwrap_or_else(PoisonError::into_inner).0
    }

    /// Replaces it, and answers which one this is. A text that no header can have is no token.
    pub(super) fn replace(&self, token: &str) -> Option<u64> {
        let mut header = HeaderValue::from_str(token).ok()?;
        // HTTP/2 neither shows such a header in its traces nor remembers it for compression.
        header.set_sensitive(true);
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        *current = (current.0 + 1, Some(header));
        Some(current.0)
    }

    fn put_on<B>(&self, request: &mut Request<B>) {
        // The call that asks for a token needs none.
        if request.uri().path() == "/etcdserverpb.Auth/Authenticate" {
            return;
        }
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(token) = &current.1 {
            request.headers_mut().insert("token", token.clone());
        }
    }
}

/// A channel on these connections whose requests carry the token.
pub(super) fn attach(connections: Connections, token: Arc<TokenSlot>) -> Channel {
    Channel::Custom(BoxCloneSyncService::new(connections.map_request(move |mut request: Request<Body>| {
        token.put_on(&mut request);
        request
    })))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(slot: &TokenSlot, path: &str) -> Request<()> {
        let mut request = Request::builder().uri(path).body(()).unwrap();
        slot.put_on(&mut request);
        request
    }

    #[test]
    fn requests_carry_the_newest_token_and_do_not_show_it() {
        let slot = TokenSlot::default();
        assert!(request(&slot, "/etcdserverpb.KV/Range").headers().is_empty());
        for (number, token) in [(1, "sentinel.1"), (2, "sentinel.2")] {
            assert_eq!(slot.replace(token), Some(number));
            assert_eq!(slot.number(), number);
            let request = request(&slot, "/etcdserverpb.KV/Range");
            assert_eq!(request.headers()["token"], token);
            assert!(!format!("{request:?}").contains("sentinel"), "{request:?}");
        }
        assert!(request(&slot, "/etcdserverpb.Auth/Authenticate").headers().is_empty());
    }

    #[test]
    fn what_no_header_can_hold_is_no_token() {
        let slot = TokenSlot::default();
        assert_eq!((slot.replace("a\nb"), slot.number()), (None, 0));
    }
}
