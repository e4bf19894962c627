// Decoding of the messages about voice and video.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "proto/internal/source.h"
#include "proto/messages.h"

namespace footlight::proto::internal {

// Of a client: `type` is what follows "media.". The cursor stands within the object.
Result<ClientMessage> read_client_media(std::string_view type, JsonReader& in,
                                        std::string_view frame, std::string& storage);

// Of a server. The cursor stands before the object.
MediaNotice read_media_notice(Source& from, std::vector<IceServer>& servers);
MediaPlaces read_media_places(Source& from, std::vector<PlaceInfo>& places);
MediaRoom read_media_room(Source& from, std::vector<SpeakerLevel>& speaking,
                          std::vector<LinkQuality>& links);
MediaQuality read_media_quality(Source& from, std::vector<PlaceQuality>& places);

}  // namespace footlight::proto::internal
