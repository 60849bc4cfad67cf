#include "datasets/corpora/internal/summarization_events.h"

namespace heed::toy::news {
namespace {

// clang-format off

const Event fire_event = {
    .rank = Rank::disaster,
    .topic = "fire",
    .role = "disaster_role",
    .leads = {
        "a fire broke out in a {building} in {town} {when}",
        "{when}, a fire destroyed a {building} in {town}",
        "flames swept through a {building} in {town} {when}",
        "in {town}, a {building} caught fire {when}",
        "a {building} in the old part of {town} burned down {when}",
    },
    .outcomes = {
        {
            .headline = "fire in {town} {building} hurts {hurt}",
            .clauses = {", hurting {hurt} people", ", and {hurt} people were hurt"},
            .near = {"{hurt} people were hurt", "{hurt} people are in hospital"},
            .far = {
                "the fire hurt {hurt} people",
                "{hurt} people were hurt in the blaze",
                "after the fire, {hurt} people were taken to hospital",
            },
        },
        {
            .headline = "fire in {town} {building} leaves {homeless} homeless",
            .clauses = {
                ", leaving {homeless} people homeless",
                ", and {homeless} people lost their homes",
            },
            .near = {
                "{homeless} people lost their homes there",
                "{homeless} people are now homeless",
            },
            .far = {
                "the fire left {homeless} people homeless",
                "{homeless} people lost their homes in the blaze",
            },
        },
        {
            .headline = "fire in {town} {building} costs {cost} crowns",
            .clauses = {", causing damage of {cost} crowns"},
            .near = {"the damage is put at {cost} crowns", "repairs will cost {cost} crowns"},
            .far = {
                "the fire caused damage of {cost} crowns",
                "the damage from the blaze is put at {cost} crowns",
            },
        },
    },
    .more = {
        "it took {crew} firefighters to put out the blaze",
        "the fire burned for {hours} hours",
        "nobody knows yet how the fire began",
        "smoke from the blaze could be seen in {town2}",
    },
};

const Event sinking_event = {
    .rank = Rank::disaster,
    .topic = "sinking",
    .role = "disaster_role",
    .leads = {
        "the {vessel} {ship} sank off {town} {when}",
        "{when}, the {vessel} {ship} went down near {town}",
        "a storm sank the {vessel} {ship} near the harbour of {town} {when}",
        "the {vessel} {ship} struck a rock off {town} {when} and sank",
        "off the coast of {town}, waves sank the {vessel} {ship} {when}",
    },
    .outcomes = {
        {
            .headline = "{vessel} {ship} sinks off {town}, {saved} rescued",
            .clauses = {", but {saved} people were rescued"},
            .near = {"lifeboats rescued {saved} people", "{saved} people were rescued"},
            .far = {
                "lifeboats rescued {saved} people from the {vessel}",
                "{saved} people on board the {vessel} were rescued",
            },
        },
        {
            .headline = "{vessel} {ship} sinks off {town}, {missing} missing",
            .clauses = {", and {missing} people are missing"},
            .near = {"{missing} people are missing", "divers are looking for {missing} people"},
            .far = {
                "after the sinking, {missing} people are missing",
                "{missing} people on board the {vessel} are still missing",
            },
        },
    },
    .more = {
        "the {vessel} was carrying {tons} tons of {crop}",
        "the {vessel} was built in {year}",
        "the {vessel} was on its way to {town2}",
        "the sinking could be seen from the beach",
    },
};

const Event crash_event = {
    .rank = Rank::disaster,
    .topic = "crash",
    .role = "disaster_role",
    .leads = {
        "a train left the rails near {town} {when}",
        "{when}, two trains collided near {town}",
        "a train from {town2} hit a lorry near {town} {when}",
        "near {town}, a train ran off the line {when}",
    },
    .outcomes = {
        {
            .headline = "train crash near {town} hurts {hurt}",
            .clauses = {", hurting {hurt} people", ", and {hurt} people were hurt"},
            .near = {"{hurt} people were hurt", "{hurt} people are in hospital"},
            .far = {
                "the crash hurt {hurt} people",
                "{hurt} people were hurt on the train",
                "after the crash, {hurt} people were taken to hospital",
            },
        },
        {
            .headline = "train crash near {town} stops traffic for {hours} hours",
            .clauses = {", stopping all traffic for {hours} hours"},
            .near = {"the line was closed for {hours} hours"},
            .far = {
                "the crash closed the line for {hours} hours",
                "traffic was stopped for {hours} hours by the crash",
            },
        },
    },
    .more = {
        "the train was carrying {tons} tons of {crop}",
        "the driver of the train was not to blame for the crash",
        "{crew} workers are clearing the line after the crash",
    },
};

const Event flood_event = {
    .rank = Rank::disaster,
    .topic = "flood",
    .role = "disaster_role",
    .leads = {
        "the river {river} burst its banks in {town} {when}",
        "{when}, the river {river} flooded parts of {town}",
        "heavy rain sent the river {river} into the streets of {town} {when}",
        "in {town}, the river {river} rose over its banks {when}",
    },
    .outcomes = {
        {
            .headline = "river {river} floods {town}, damages {houses} houses",
            .clauses = {", damaging {houses} houses"},
            .near = {"{houses} houses were damaged", "water stands in {houses} houses there"},
            .far = {
                "the flood damaged {houses} houses",
                "{houses} houses were damaged by the water of the {river}",
            },
        },
        {
            .headline = "river {river} floods {town}, {families} families flee",
            .clauses = {", and {families} families had to flee"},
            .near = {"{families} families had to flee", "{families} families left their homes"},
            .far = {
                "{families} families had to flee from the flood",
                "the flood drove {families} families from their homes",
            },
        },
    },
    .more = {
        "it was the worst flood since {year}",
        "the flood also reached {town2}",
        "{crew} soldiers are building walls against the flood",
    },
};

const Event robbery_event = {
    .rank = Rank::crime,
    .topic = "robbery",
    .role = "crime_role",
    .leads = {
        "thieves broke into a {shop} in {town} {when}",
        "{when}, masked men robbed a {shop} in {town}",
        "a {shop} in {town} was robbed {when}",
        "in {town}, thieves entered a {shop} through the roof {when}",
    },
    .outcomes = {
        {
            .headline = "thieves take {loot_count} {loot} from {town} {shop}",
            .clauses = {
                ", and {loot_count} {loot} were stolen",
                ", and {loot_count} {loot} are gone",
            },
            .near = {"they took {loot_count} {loot}", "{loot_count} {loot} are gone"},
            .far = {
                "the thieves took {loot_count} {loot}",
                "{loot_count} {loot} were stolen in the robbery",
            },
        },
        {
            .headline = "police arrest {few} after robbery of {town} {shop}",
            .clauses = {", but police arrested {few} men"},
            .near = {"police arrested {few} men"},
            .far = {
                "police arrested {few} men after the robbery",
                "{few} men were arrested for the robbery",
            },
        },
        {
            .headline = "reward of {reward} crowns after robbery of {town} {shop}",
            .clauses = {", and the owner offers a reward of {reward} crowns"},
            .near = {"the owner offers a reward of {reward} crowns"},
            .far = {
                "there is a reward of {reward} crowns for finding the thieves",
                "the owner offers {reward} crowns for help with the robbery",
            },
        },
    },
    .more = {
        "the thieves escaped in a {colour} car",
        "the robbery lasted {minutes} minutes",
        "a neighbour saw the thieves leave",
    },
};

const Event find_event = {
    .rank = Rank::crime,
    .topic = "find",
    .role = "crime_role",
    .leads = {
        "customs officers found {goods_count} stolen {goods} in {town} {when}",
        "{when}, police in {town} found {goods_count} stolen {goods} in a cellar",
        "{goods_count} stolen {goods} were found in a lorry in {town} {when}",
        "in {town}, a dog led police to {goods_count} stolen {goods} {when}",
    },
    .outcomes = {
        {
            .headline = "police find {goods_count} stolen {goods} in {town}, arrest {last2}",
            .clauses = {", and {first2} {last2} was arrested"},
            .near = {"{first2} {last2} was arrested"},
            .far = {
                "{first2} {last2} was arrested over the stolen {goods}",
                "police arrested {first2} {last2}, who had hidden the {goods}",
            },
        },
        {
            .headline = "police find {goods_count} stolen {goods} in {town} worth {value} crowns",
            .clauses = {", worth {value} crowns"},
            .near = {"they are worth {value} crowns"},
            .far = {
                "the stolen {goods} are worth {value} crowns",
                "an expert says the {goods} are worth {value} crowns",
            },
        },
    },
    .more = {
        "the stolen {goods} came from {town2}",
        "police looked for the stolen {goods} for {weeks} weeks",
        "the {goods} are in good condition",
    },
};

const Event strike_event = {
    .rank = Rank::strike,
    .topic = "strike",
    .role = "strike_role",
    .leads = {
        "the {workers} of {town} went on strike {when}",
        "{when}, the {workers} in {town} stopped work",
        "{workers} in {town} walked out {when}",
        "a strike by {workers} began in {town} {when}",
        "in {town}, {workers} put down their tools {when}",
    },
    .outcomes = {
        {
            .headline = "{workers} in {town} strike for {rise} crowns more",
            .clauses = {", asking for {rise} crowns more a month"},
            .near = {"they want {rise} crowns more a month"},
            .far = {
                "the strikers want {rise} crowns more a month",
                "the union of {workers} is asking for {rise} crowns more a month",
            },
        },
        {
            .headline = "strike by {workers} in {town} to last until {day}",
            .clauses = {", and they will not work before {day}"},
            .near = {"they will stay at home until {day}"},
            .far = {
                "the strike will last until {day}",
                "the union says the strike will end on {day}",
            },
        },
        {
            .headline = "{strikers} {workers} on strike in {town}",
            .clauses = {", and {strikers} joined in"},
            .near = {"there are {strikers} of them"},
            .far = {
                "the union counts {strikers} strikers",
                "{strikers} {workers} have joined the strike",
            },
        },
    },
    .more = {
        "it is the first strike there since {year}",
        "the strikers marched through the streets",
        "talks about the strike failed in {month}",
    },
};

const Event election_event = {
    .rank = Rank::election,
    .topic = "election",
    .role = "election_role",
    .leads = {
        "{first2} {last2} was elected mayor of {town} {when}",
        "{when}, the people of {town} chose {first2} {last2} as mayor",
        "{first2} {last2} won the election for mayor in {town} {when}",
        "in {town}, the voters made {first2} {last2} mayor {when}",
    },
    .outcomes = {
        {
            .headline = "{last2} elected mayor of {town} by {votes} votes",
            .clauses = {", by {votes} votes"},
            .near = {"the margin was {votes} votes"},
            .far = {
                "the margin in the election was {votes} votes",
                "the new mayor won by {votes} votes",
            },
        },
        {
            .headline = "{last2} beats {last3} in {town} election",
            .clauses = {", against {first3} {last3}"},
            .near = {"the loser is {first3} {last3}"},
            .far = {"{first3} {last3} lost the election", "the new mayor beat {first3} {last3}"},
        },
        {
            .headline = "{last2} elected mayor of {town}, promises {homes} homes",
            .clauses = {", after a promise to build {homes} homes"},
            .near = {"{last2} promised to build {homes} homes"},
            .far = {
                "the new mayor promised to build {homes} homes",
                "{homes} homes are what the new mayor promised to build",
            },
        },
    },
    .more = {
        "{voters} people took part in the election",
        "the new mayor was born in {town2}",
        "the new mayor used to be a {job}",
    },
};

const Event sale_event = {
    .rank = Rank::business,
    .topic = "sale",
    .role = "business_role",
    .leads = {
        "{firm} of {town} will buy its rival {firm2}",
        "the {product} maker {firm2} will be sold to {firm} of {town}",
        "{firm} of {town} has agreed to buy the {product} maker {firm2}",
        "{firm2} will belong to its rival {firm} of {town} from {month} on",
    },
    .outcomes = {
        {
            .headline = "{firm} of {town} buys {firm2} for {price} million crowns",
            .clauses = {", for {price} million crowns"},
            .near = {"the price is {price} million crowns"},
            .far = {
                "the price in the sale is {price} million crowns",
                "{price} million crowns will be paid for {firm2}",
            },
        },
        {
            .headline = "{firm} of {town} buys {firm2}, {jobs} jobs to go",
            .clauses = {", and {jobs} jobs will go"},
            .near = {"{jobs} jobs will go"},
            .far = {
                "the sale will cost {jobs} jobs",
                "{jobs} people at {firm2} will lose their jobs",
            },
        },
    },
    .more = {
        "{firm2} was founded in {year}",
        "the sale was planned for {weeks} weeks",
        "{firm2} has shops in {town2}",
    },
};

const Event plan_event = {
    .rank = Rank::business,
    .topic = "plan",
    .role = "business_role",
    .leads = {
        "{firm} will close its {product} factory in {town} in {month}",
        "in {month}, {firm} will shut the {product} factory it has in {town}",
        "the {product} factory of {firm} in {town} will close in {month}",
        "{firm} has decided to give up its {product} factory in {town} in {month}",
    },
    .outcomes = {
        {
            .headline = "{firm} to close {town} {product} factory, {jobs} jobs to go",
            .clauses = {", and {jobs} jobs will go"},
            .near = {"{jobs} jobs will go"},
            .far = {
                "the end of the factory will cost {jobs} jobs",
                "{jobs} people at the factory will lose their jobs",
            },
        },
        {
            .headline = "{firm} to move {product} factory from {town} to {town3}",
            .clauses = {" and move the work to {town3}"},
            .near = {"the work will move to {town3}"},
            .far = {
                "{firm} will build a new factory in {town3}",
                "the work of the factory will move to {town3}",
            },
        },
    },
    .more = {
        "the factory was built in {year}",
        "the factory lost {money} crowns last year",
        "the gates of the factory are painted {colour}",
    },
};

const Event match_event = {
    .rank = Rank::sport,
    .topic = "match",
    .role = "sport_role",
    .leads = {
        "{club} beat {club2} {score} at {sport} in {town} {when}",
        "{when}, {club2} lost {score} to {club} at {sport} in {town}",
        "in the {sport} cup, {club} won {score} against {club2} in {town} {when}",
        "{club2} went down {score} against the {sport} team of {club} in {town} {when}",
    },
    .outcomes = {
        {
            .headline = "{club} beat {club2} {score}, {last2} scores {goals}",
            .clauses = {", with {goals} goals by {first2} {last2}"},
            .near = {"{first2} {last2} scored {goals} goals"},
            .far = {
                "{first2} {last2} scored {goals} goals in the match",
                "{goals} goals of the match were scored by {first2} {last2}",
            },
        },
        {
            .headline = "{crowd} people see {club} beat {club2} {score}",
            .clauses = {", and {crowd} people watched"},
            .near = {"{crowd} people watched"},
            .far = {"{crowd} people watched the match", "the match was seen by {crowd} people"},
        },
        {
            .headline = "{club} beat {club2} {score}, lose {last2}",
            .clauses = {", but {first2} {last2} was sent off"},
            .near = {"{first2} {last2} was sent off"},
            .far = {
                "{first2} {last2} was sent off in the match",
                "the referee of the match sent off {first2} {last2}",
            },
        },
    },
    .more = {
        "rain stopped the match for {minutes} minutes",
        "a {colour} dog ran across the field during the match",
        "tickets for the match cost {price} crowns",
    },
};

const Event race_event = {
    .rank = Rank::sport,
    .topic = "race",
    .role = "sport_role",
    .leads = {
        "{first2} {last2} won the {race} race in {town} {when}",
        "{when}, {first2} {last2} came first in the {race} race in {town}",
        "the {race} race in {town} was won by {first2} {last2} {when}",
        "in {town}, {first2} {last2} was the fastest in the {race} race {when}",
    },
    .outcomes = {
        {
            .headline = "{last2} wins {race} race in {town} in {minutes} minutes",
            .clauses = {", in {minutes} minutes"},
            .near = {"the time was {minutes} minutes"},
            .far = {
                "the winner of the race needed {minutes} minutes",
                "the race was over in {minutes} minutes",
            },
        },
        {
            .headline = "{last2} beats {last3} in {town} {race} race",
            .clauses = {", ahead of {first3} {last3}"},
            .near = {"{first3} {last3} came second"},
            .far = {
                "{first3} {last3} was second in the race",
                "second in the race was {first3} {last3}",
            },
        },
    },
    .more = {
        "{crowd} people stood along the road of the race",
        "the race was held for the first time in {year}",
        "{few} riders fell during the race",
    },
};

const Event prize_event = {
    .rank = Rank::culture,
    .topic = "prize",
    .role = "culture_role",
    .leads = {
        "the {artist} {first2} {last2} won the {prize} Prize in {town} {when}",
        "{when}, the {prize} Prize went to the {artist} {first2} {last2} in {town}",
        "the {prize} Prize was given to the {artist} {first2} {last2} in {town} {when}",
        "in {town}, {first2} {last2}, a {artist}, received the {prize} Prize {when}",
    },
    .outcomes = {
        {
            .headline = "{artist} {last2} wins {prize} Prize of {money} crowns",
            .clauses = {", worth {money} crowns"},
            .near = {"it is worth {money} crowns"},
            .far = {"the prize is worth {money} crowns", "with the prize come {money} crowns"},
        },
        {
            .headline = "{artist} {last2}, {age}, wins {prize} Prize in {town}",
            .clauses = {", at the age of {age}"},
            .near = {"{last2} is {age} years old"},
            .far = {"the winner of the prize is {age} years old", "the prize winner is {age}"},
        },
    },
    .more = {
        "the prize was first given in {year}",
        "{crowd} people wrote to the judges of the prize",
        "the winner of the prize lives in {town2}",
    },
};

const Outcome said = {
    .headline = ", {role} {last} says",
    .clauses = {", the {role} {first} {last} said", ", according to the {role} {first} {last}"},
    .near = {
        "\"{quote},\" said the {role} {first} {last}",
        "the {role}, {first} {last}, told reporters the news",
    },
    .far = {
        "\"{quote},\" the {role} {first} {last} said of the {topic}",
        "asked about the {topic}, the {role} {first} {last} said: \"{quote}.\"",
        "the {role} {first} {last} gave the news of the {topic}",
    },
};

// clang-format on

}  // namespace

std::span<const Event> events() {
  // The order decides which event a random number selects.
  static const std::vector<Event> all = {
      fire_event,  sinking_event, crash_event,    flood_event, robbery_event,
      find_event,  strike_event,  election_event, sale_event,  plan_event,
      match_event, race_event,    prize_event,
  };
  return all;
}

const Outcome& attribution() { return said; }

}  // namespace heed::toy::news
